"""Scenarios in which somebody else is in the way: a held row, a lying message, another release, a backlog."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg

from app.record.service import heartbeats
from app.record.session import Tx
from tests.chaos.bugs.older import HOST, TYPE
from tests.chaos.bugs.stage import Missed, Stage
from tests.chaos.checks.evidence import Finding
from tests.chaos.faults.messages import envelope
from tests.chaos.faults.waiting import within

HELD_S = 20.0  # Others have to end while a row is held for so long.
LONG_MS = 15_000
QUEUED, FEW = 12, 3
MEMBERS, BEHIND = 6, 40  # The members of a fan-out, and the runs that come behind it.
FAIR = 20  # A worker that takes turns begins so many of them at most before it has begun all members.


def row_is_held(stage: Stage) -> None:
    """Somebody locks the row of a run whose retry is due, and nothing else."""
    assert stage.site.postgres is not None
    stuck = stage.start("line", shaky=1, times=4)
    stage.until(lambda: stage.step(stuck, "one")["status"] == "retry_wait", "a retry is waited for")
    with closing(psycopg.connect(stage.site.postgres.database("windlass"))) as stranger:
        stranger.execute("SELECT id FROM run WHERE id = %s FOR UPDATE", [stuck])
        held = stage.hit(f"held the row of {stuck}", scope="database")
        others = [stage.start("line", shaky=1, times=3) for _ in range(3)]
        if not within(HELD_S, lambda: all(stage.row(one)["completed_at"] for one in others)):
            what = f"a run that somebody held for {HELD_S:.0f} s kept others from moving"
            stage.findings.append(Finding(number="held", what=what))
    held.until = round(time.time() * 1000)
    stage.ends(45)


def callbacks_lie(stage: Stage) -> None:
    """Callbacks say that a step has died whose worker is at work."""
    run_id = stage.start("fused", pace=LONG_MS)
    for _ in range(3):
        _lie(stage, run_id)
    within(30, lambda: stage.step(run_id, "one")["status"] != "running")
    stage.cancel(run_id, mode="abandon")
    stage.ends(40)


def _lie(stage: Stage, run_id: str) -> None:
    """One callback says so; wait until somebody has heard it, and what it leads to, if anything."""
    row, queue = stage.runs_step(run_id, "one"), f"{stage.site.settings.redis_prefix}default"
    stage.site.redis.lpush(
        queue, envelope("default", "windlass.on_error", [row["task_id"]], {"run_id": run_id})
    )
    stage.hit(f"told that {row['task_id']} has died", scope="broker")
    stage.until(lambda: stage.site.redis.llen(queue) == 0, "somebody takes the message")
    within(2, lambda: stage.step(run_id, "one")["fence"] > row["fence"])


def two_releases(stage: Stage) -> None:
    """The workers of one of two hosts do not know a type that is started through the API."""
    upgrade = stage.hit(f"the workers of {HOST} do not know {TYPE}", scope="site")
    ids = [stage.start(TYPE.partition(".")[2]) for _ in range(12)]
    stage.ends(60)
    upgrade.until = round(time.time() * 1000)
    if any(stage.row(one)["status"] != "completed" for one in ids):
        what = f"a run of a type that the workers of {HOST} do not know has not completed"
        stage.findings.append(Finding(number="release", what=what))


@contextmanager
def _workers_stand_still(stage: Stage) -> Iterator[None]:
    sleepers = [*stage.site.processes("worker"), *stage.site.processes("child")]
    for one in sleepers:
        one.suspend()
    try:
        yield
    finally:
        for one in sleepers:
            one.resume()


def emptied_with_a_backlog(stage: Stage) -> None:
    """Redis loses everything while many runs wait for workers that stand still."""
    with _workers_stand_still(stage):
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
    with _workers_stand_still(stage):
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
