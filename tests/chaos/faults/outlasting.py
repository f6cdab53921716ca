"""Messages that come twice while their step, which takes long, is at work and the database is away."""

from collections.abc import Sequence
from random import Random
from typing import ClassVar

from sqlalchemy import select

from app.record.tables import step
from tests.chaos.demands.awkward import order
from tests.chaos.fault import POSTGRES, Fault, Injection, Rhythm, Setting, register
from tests.chaos.faults.database import database_proxy
from tests.chaos.faults.messages import courier
from tests.chaos.faults.proxy import CLEAR, Weather
from tests.chaos.faults.waiting import within
from tests.chaos.site import Site

LONG_MS = 15_000  # Longer than a lease, which its worker renews.
LONG = "long"  # The step.
BEGUN_S = 20.0


@register
class LongStepsDoubled(Fault):
    """The copies meet a database that is away, end badly, and their callbacks say that the step has died."""

    name, rows, backends = "long-steps-doubled", ("RF30", "DF7"), (POSTGRES,)
    scope = "broker"  # The database is back before any lease ends: nobody may lose a step.
    beat: ClassVar[Rhythm | None] = "weather"
    needs = Setting(proxied=True)
    lasts_s = (5.3, 6.0)  # Longer than a worker is patient; a lease that was just to be renewed has 7 s left.
    needs_s = 40.0

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """Start long steps, cut the way to the database, and push the newest messages again."""
        carrier, proxy = courier(site), database_proxy(site)
        if carrier is None or proxy is None:
            return None
        site.crowd.demand([order("long", pace=LONG_MS) for _ in range(3)])
        if not within(BEGUN_S, lambda: len(running(site)) >= 3):
            return None
        proxy.set(Weather(refuse=True))
        proxy.cut()
        again = [(queue, text) for queue, text in carrier.captured if _is_link(text)][-10:]
        for queue, text in again:
            site.redis.lpush(queue.decode(), text.decode())
        return self.injection(f"the database is away; {len(again)} messages came again")

    def heal(self, site: Site) -> None:
        """The way is free."""
        proxy = database_proxy(site)
        if proxy is not None:
            proxy.set(CLEAR)


def running(site: Site) -> Sequence[str]:
    """The runs whose long step is at work."""
    wanted = select(step.c.run_id).where(step.c.status == "running", step.c.key == LONG)
    return [row["run_id"] for row in site.db.read(lambda tx: tx.rows(wanted))]


def _is_link(text: bytes) -> bool:
    return b'"windlass.link"' in text
