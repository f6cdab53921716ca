"""Messages that come twice while their step, which takes long, is at work and the database is away."""

import json
from collections.abc import Iterator
from random import Random
from typing import ClassVar

from sqlalchemy import func, select

from app.record.session import Tx
from app.record.tables import step
from chains.canvas import ON_ERROR
from chains.messages import LinkMessage
from tests.chaos.checks.evidence import Row
from tests.chaos.checks.publications import UNHEARD_MS
from tests.chaos.demands.awkward import order
from tests.chaos.fault import POSTGRES, Fault, Injection, Rhythm, Setting, register
from tests.chaos.faults.courier import Courier
from tests.chaos.faults.database import database_proxy
from tests.chaos.faults.messages import courier
from tests.chaos.faults.proxy import CLEAR, Weather
from tests.chaos.faults.waiting import within
from tests.chaos.site import Site

LONG_MS = 15_000  # Longer than a lease, which its worker renews.
LONG = "long"  # The step.
BEGUN_S = 20.0
LEFT_MS = 6_800  # What is left of a lease of 10 s that is renewed every 3 s.


@register
class LongStepsDoubled(Fault):
    """The copies meet a database that is away, end badly, and their callbacks report the step as dead."""

    name, rows, backends = "long-steps-doubled", ("RF30", "DF7"), (POSTGRES,)
    scope = "broker"  # The database is back before any lease ends: no step may be lost.
    beat: ClassVar[Rhythm | None] = "weather"
    needs = Setting(proxied=True)
    lasts_s = (5.3, 6.0)  # Longer than a worker is patient; a lease that was just to be renewed has 7 s left.
    needs_s = 40.0
    long_ms: ClassVar[int] = LONG_MS

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """Start long steps, cut the way to the database, and push the newest messages again."""
        carrier, proxy = courier(site), database_proxy(site)
        if carrier is None or proxy is None:
            return None
        site.users.demand([order("long", pace=self.long_ms) for _ in range(3)])
        if not within(BEGUN_S, lambda: len(running(site)) >= 3):
            return None
        tasks = running(site)
        again = [
            (queue, text)
            for queue, text, headers in _captured(carrier)
            if headers["id"] in tasks and headers["task"] == LinkMessage.TASK
        ]
        if not again:  # All were found by messages that name no run, which have no callback.
            return None
        if not within(BEGUN_S, lambda: _all_at_work(site)):
            return None
        proxy.set(Weather(refuse=True))
        proxy.cut()
        for queue, text in again:
            site.redis.lpush(queue.decode(), text.decode())
        return self.injection(f"the database is away; {len(again)} messages came again")

    def heal(self, site: Site) -> None:
        """The way is free."""
        proxy = database_proxy(site)
        if proxy is not None:
            proxy.set(CLEAR)


def running(site: Site) -> set[str]:
    """The long steps that are at work, by the Celery task that claimed each."""
    wanted = select(step.c.task_id).where(step.c.status == "running", step.c.key == LONG)
    return {row["task_id"] for row in site.db.read(lambda tx: tx.rows(wanted))}


def _all_at_work(site: Site) -> bool:
    """Whether every worker has the answer to its claim, and no lease ends before the database is back."""
    ends = select(func.min(step.c.lease_until)).where(step.c.status == "running")
    newest = select(func.max(step.c.started_at)).where(step.c.status == "running", step.c.key == LONG)

    def check(tx: Tx) -> bool:
        left, past = (tx.value(ends) or 0) - tx.now, tx.now - (tx.value(newest) or tx.now)
        return left >= LEFT_MS and past > 2 * UNHEARD_MS

    return site.db.read(check)


def callbacks(carrier: Courier) -> list[tuple[bytes, bytes]]:
    """The error callbacks that were published so far: their queues and texts."""
    return [(queue, text) for queue, text, headers in _captured(carrier) if headers["task"] == ON_ERROR]


def _captured(carrier: Courier) -> Iterator[tuple[bytes, bytes, Row]]:
    """What was published so far: queues, texts and headers of Celery's messages."""
    for queue, text in list(carrier.captured):
        if b'"headers"' in text:
            yield queue, text, json.loads(text)["headers"]
