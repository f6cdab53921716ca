"""Redis loses everything while twenty thousand runs wait for a queue that no worker serves."""

import time
from random import Random
from typing import Any, ClassVar

from app.record.tables import run, step
from tests.chaos.demands.awkward import order
from tests.chaos.fault import POSTGRES, Fault, Injection, Rhythm, register
from tests.chaos.faults.database import session
from tests.chaos.faults.waiting import within
from tests.chaos.site import Site
from tests.chaos.workload.types import NOBODY

QUEUED = 20_000
ACCEPTED_S = 20.0
CLONE = "run_backlog"
TEMPLATE = "SELECT id FROM run WHERE type = 'chaos.unserved' AND expect_queue IS NOT NULL"
# Columns that are not those of the run that is multiplied.
_RUN = {"id": f"'{CLONE}' || n", "idempotency_key": "NULL", "request_hash": "NULL"}
_STEP = {"run_id": f"'{CLONE}' || n"}


def _multiplied(table: Any, which: str, changed: dict[str, str]) -> bytes:
    """The statement that makes clones of the rows of one run."""
    names = [column.name for column in table.columns if column.computed is None]
    values = ", ".join(changed.get(name, f't."{name}"') for name in names)
    columns = ", ".join(f'"{name}"' for name in names)
    return (
        f"INSERT INTO {table.name} ({columns}) SELECT {values} FROM {table.name} t,"
        f" generate_series(1, {QUEUED}) n WHERE t.{which} = %s"
    ).encode()


@register
class Backlog(Fault):
    """Redis is emptied with a backlog; the clones of a run that wait go when the fault ends."""

    name, rows, backends = "emptied-with-a-backlog", ("RF31",), (POSTGRES,)
    scope = "broker"
    beat: ClassVar[Rhythm | None] = "weather"
    alone = True
    lasts_s = (15.0, 25.0)
    needs_s = 30.0

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """Queue them, empty Redis, and ask for runs whose retries are due meanwhile."""
        site.users.demand([order("unserved", cancel_after_ms=round(self.lasts_s[1] * 1000))])
        if not within(ACCEPTED_S, lambda: _template(site)):
            return None
        with session(site) as direct:
            source = _template(site)
            for statement in (_multiplied(run, "id", _RUN), _multiplied(step, "run_id", _STEP)):
                direct.execute(statement, [source])
        site.redis.flushall()
        made = self.injection(f"emptied Redis while {QUEUED} runs waited")
        made.until = round(time.time() * 1000)  # It is back at once: everything else counts from here.
        site.users.demand([order("line", shaky=1, times=3) for _ in range(5)])
        return made

    def heal(self, site: Site) -> None:
        """Take the clones away, with their messages."""
        with session(site) as direct:
            for table in ("event", "timer", "step"):
                direct.execute(f"DELETE FROM {table} WHERE run_id LIKE '{CLONE}%'".encode())
            direct.execute(f"DELETE FROM run WHERE id LIKE '{CLONE}%'".encode())
        site.redis.delete(f"{site.settings.redis_prefix}{NOBODY}")


def _template(site: Site) -> str | None:
    with session(site) as direct:
        found = direct.execute(TEMPLATE).fetchone()
    return str(found[0]) if found else None
