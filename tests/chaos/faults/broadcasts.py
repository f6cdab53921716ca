"""What a client with Celery's remote control can do to a site, by mistake or on purpose."""

from dataclasses import replace
from random import Random
from socket import gethostname

from celery import Celery
from sqlalchemy import text

from app.wiring import celery_app
from chains.messages import LinkMessage, WakeUp
from tests.chaos.fault import Fault, Injection, register
from tests.chaos.site import Site

QUEUES = ("default", "webhook", "bmc")
RUN_STEPS = (LinkMessage.TASK, WakeUp.TASK)
LIVE = "SELECT task_id FROM step WHERE status = 'running' AND task_id IS NOT NULL"


def control(site: Site) -> Celery:
    """An application that speaks to all workers of the site, past any proxy."""
    return celery_app(replace(site.settings, redis_url=site.store.url), worker=False)


class Broadcast(Fault):
    """A word to all workers at once."""

    rows = ("DF9",)
    scope = "broker"

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """Say it."""
        app = control(site)
        try:
            what = self.say(app, site)
        finally:
            app.close()
        return self.injection(what) if what else None

    def say(self, app: Celery, site: Site) -> str:
        """The word; what it did, or nothing."""
        raise NotImplementedError


@register
class QueuesPurged(Broadcast):
    """``celery purge``: every message that waits is thrown away."""

    name = "queues-purged"

    def say(self, app: Celery, site: Site) -> str:
        """Empty all queues."""
        lengths = {queue: site.redis.delete(f"{site.settings.redis_prefix}{queue}") for queue in QUEUES}
        return f"purged {sum(lengths.values())} queues that were not empty"


@register
class LinksRevoked(Broadcast):
    """``celery control revoke`` of links that run, with the order to end them."""

    name = "links-revoked"

    def say(self, app: Celery, site: Site) -> str:
        """Revoke and terminate."""
        live = [row["task_id"] for row in site.db.read(lambda tx: tx.rows(text(LIVE)))]
        if live:
            app.control.revoke(live, terminate=True, signal="SIGKILL")
        return f"revoked {len(live)} links" if live else ""


@register
class WorkersShutDown(Broadcast):
    """``celery control shutdown``: all mains stop."""

    name = "workers-shut-down"

    def say(self, app: Celery, site: Site) -> str:
        """Ask all to stop."""
        app.control.shutdown()
        return "told all workers to shut down"


@register
class PoolsRestarted(Broadcast):
    """``celery control pool_restart``."""

    name = "pools-restarted"

    def say(self, app: Celery, site: Site) -> str:
        """Ask all to restart their pools."""
        app.control.pool_restart(reload=False)
        return "told all workers to restart their pools"


@register
class ConsumersCancelled(Broadcast):
    """``celery control cancel_consumer``: the workers no longer listen to a queue."""

    name = "consumers-cancelled"
    lasts_s = (2.0, 15.0)

    def say(self, app: Celery, site: Site) -> str:
        """Ask all to stop listening."""
        for queue in QUEUES:
            app.control.cancel_consumer(queue)
        return "told all workers to listen to no queue"

    def heal(self, site: Site) -> None:
        """Listen again: a worker that was ordered so obeys until it starts anew."""
        app = control(site)
        for queue in QUEUES:
            app.control.add_consumer(queue, destination=_mains(site, queue))
        app.close()


@register
class RateLimited(Broadcast):
    """``celery control rate_limit``: twenty links a minute."""

    name = "rate-limited"
    lasts_s = (2.0, 15.0)

    def say(self, app: Celery, site: Site) -> str:
        """Limit the tasks that run steps."""
        for task in RUN_STEPS:
            app.control.rate_limit(task, "20/m")
        return "told all workers to run twenty links a minute"

    def heal(self, site: Site) -> None:
        """No limit."""
        app = control(site)
        for task in RUN_STEPS:
            app.control.rate_limit(task, 0)
        app.close()


def _mains(site: Site, kind: str) -> list[str]:
    """The names under which the workers of a kind listen."""
    names = []
    for main in site.processes("worker"):
        words = main.cmdline()
        name = words[words.index("-n") + 1]
        if name.startswith(kind):
            names.append(name.replace("%h", gethostname()))
    return names
