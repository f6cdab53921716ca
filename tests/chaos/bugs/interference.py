"""Scenarios of interference: a held row, a wrong message, another release, a backlog."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import psutil
import psycopg

from app.record.service import heartbeats
from app.record.session import Tx
from tests.chaos.bugs.older import HOST, TYPE
from tests.chaos.bugs.stage import Missed, Stage
from tests.chaos.checks.evidence import Finding
from tests.chaos.faults.database import session
from tests.chaos.faults.messages import envelope
from tests.chaos.faults.waiting import within

LOCKED_OUT = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
BLOCKED_S = 10.0  # Every reconciler meets the held row in this time, on any machine that works.
HELD_S = 20.0  # Others have to end while a row is held for so long.
LONG_MS = 15_000
QUEUED, FEW = 12, 3
MEMBERS, BEHIND = 6, 40  # The members of a fan-out, and the runs that come behind it.
FAIR = 20  # A worker that takes turns begins so many of them at most before it has begun all members.


def row_is_held(stage: Stage) -> None:
    """Another client locks the row of a run whose retry is due, and nothing else."""
    assert stage.site.postgres is not None
    stuck = stage.start("line", shaky=1, times=5)
    reconcilers = len(stage.site.processes("reconciler"))
    with closing(psycopg.connect(stage.site.postgres.database("windlass"))) as other:
        stage.until(lambda: _holds(stage, other, stuck), "its row is held while a retry is waited for")
        within(BLOCKED_S, lambda: _waiting(stage) >= reconcilers)  # As those do that wait without a limit.
        held = stage.hit(f"held the row of {stuck}", scope="database")
        others = [stage.start("line", shaky=1, times=3) for _ in range(3)]
        if not within(HELD_S, lambda: all(stage.row(one)["completed_at"] for one in others)):
            what = f"a run whose row was held for {HELD_S:.0f} s kept others from moving"
            stage.findings.append(Finding(number="held", what=what))
    held.until = round(time.time() * 1000)
    stage.ends(45)


def _holds(stage: Stage, other: psycopg.Connection[Any], run_id: str) -> bool:
    """Whether this client holds the row, and the retry is still waited for, which can no longer change."""
    other.execute("SELECT id FROM run WHERE id = %s FOR UPDATE", [run_id])
    if stage.step(run_id, "one")["status"] == "retry_wait":
        return True
    other.rollback()
    return False


def _waiting(stage: Stage) -> int:
    """How many sessions wait for a lock."""
    with session(stage.site) as direct:
        found = direct.execute(LOCKED_OUT).fetchone()
    return int(found[0]) if found else 0


def callbacks_lie(stage: Stage) -> None:
    """Callbacks report as dead a step whose worker is at work."""
    run_id = stage.start("fused", pace=LONG_MS)
    for _ in range(3):
        _lie(stage, run_id)
    within(30, lambda: stage.step(run_id, "one")["status"] != "running")
    stage.cancel(run_id, mode="abandon")
    stage.ends(40)


def _lie(stage: Stage, run_id: str) -> None:
    """One such callback; wait until a worker has handled it, and for what it leads to, if anything."""
    row, queue = stage.runs_step(run_id, "one"), f"{stage.site.settings.redis_prefix}default"
    stage.site.redis.lpush(
        queue, envelope("default", "windlass.on_error", [row["task_id"]], {"run_id": run_id})
    )
    stage.hit(f"reported that {row['task_id']} has died", scope="broker")
    stage.until(lambda: stage.site.redis.llen(queue) == 0, "a worker takes the message")
    within(2, lambda: stage.step(run_id, "one")["fence"] > row["fence"])


def two_releases(stage: Stage) -> None:
    """The workers of one of two hosts do not know a type that is started through the API."""
    upgrade = stage.hit(f"the workers of {HOST} do not know {TYPE}", scope="site")
    with _stand_still([one for one in _workers(stage) if not _is_of(one, HOST)]):
        ids = [stage.start(TYPE.partition(".")[2]) for _ in range(3)]
        stage.until(lambda: all(_is_met(stage, one) for one in ids), f"{HOST} has met every run", 60)
    stage.ends(60)
    upgrade.until = round(time.time() * 1000)
    if any(stage.row(one)["status"] != "completed" or stage.step(one, "one")["lost"] for one in ids):
        what = f"a run of a type that the workers of {HOST} do not know has not completed, or lost its worker"
        stage.findings.append(Finding(number="release", what=what))


def _is_of(process: psutil.Process, host: str) -> bool:
    """Whether a Celery worker is one of this host."""
    return any(f".{host}@" in word for word in process.cmdline())


def _is_met(stage: Stage, run_id: str) -> bool:
    """Whether a worker of the older release has left the run to others, or died of it."""
    waits = stage.row(run_id)["waiting_on"] or {}
    return waits.get("kind") == "worker" or stage.step(run_id, "one")["lost"] > 0


def _workers(stage: Stage) -> list[psutil.Process]:
    return [*stage.site.processes("worker"), *stage.site.processes("child")]


@contextmanager
def _stand_still(sleepers: Sequence[psutil.Process]) -> Iterator[None]:
    for one in sleepers:
        one.suspend()
    try:
        yield
    finally:
        for one in sleepers:
            one.resume()


def emptied_with_a_backlog(stage: Stage) -> None:
    """Redis loses everything while many runs wait for workers that stand still."""
    with _stand_still(_workers(stage)):
        ids = [stage.start("fused") for _ in range(QUEUED)]
        before = stage.site.db.read(_epoch)
        stage.site.redis.flushall()
        emptied = stage.hit(f"emptied Redis while {QUEUED} runs waited", scope="broker")
        stage.until(lambda: stage.site.db.read(_epoch) != before, "a reconciler has seen it")
        again = sum(stage.row(one)["dispatch_gen"] > 1 for one in ids)
        if again > FEW:
            what = f"a message was published for each of {again} runs, though one wakes the workers"
            stage.findings.append(Finding(number="epoch", what=what))
    emptied.until = round(time.time() * 1000)
    stage.ends(60)


def runs_behind_members(stage: Stage) -> None:
    """New runs wait in great number when the members of a fan-out come to wait for a worker, too."""
    with _stand_still(_workers(stage)):
        stage.hit(f"the workers stood still while {BEHIND} runs came behind a fan-out", scope="broker")
        wide = stage.start("map", items=list(range(MEMBERS)), pace=100)
        behind = [stage.start("fused", pace=100) for _ in range(BEHIND)]
    stage.ends(90)
    ready = stage.step(wide, "two")["completed_at"]
    last = max(row["started_at"] or 0 for row in stage.members(wide))
    started = [stage.row(one)["started_at"] for one in behind]
    if sum(at > ready for at in started) <= FAIR:
        raise Missed(f"few runs were left when the members of {wide} came to wait")
    before = sum(ready < at < last for at in started)
    if before > FAIR:
        what = f"{before} of {BEHIND} runs began while members of the fan-out waited for a worker"
        stage.findings.append(Finding(number="starved", run_id=wide, what=what))


def _epoch(tx: Tx) -> str | None:
    found = heartbeats.fact(tx, "broker_epoch")
    return None if found is None else str(found["value"])
