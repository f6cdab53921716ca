"""Scenarios in which a client takes what others need; the faults are those of the campaigns."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.chaos.bugs.stage import RUNS, Missed, Stage
from tests.chaos.checks.evidence import Finding
from tests.chaos.fault import Fault
from tests.chaos.faults import interference
from tests.chaos.faults.database import SESSIONS, session
from tests.chaos.faults.messages import courier
from tests.chaos.faults.outlasting import LongStepsDoubled, callbacks, running
from tests.chaos.faults.waiting import within

EVENTS_S = 6.0  # In which a quick receiver gets its events, while a slow one takes 8 s for each delivery.
TOLD_S = 60.0  # A copy is patient for 5 s before it ends badly.
HEARD_S = 10.0  # What a callback leads to, if anything.
LONG_MS, LEASE_MS = 50_000, 90_000  # No step and no lease ends while the callbacks are handled.


@contextmanager
def struck(stage: Stage, fault: Fault) -> Iterator[None]:
    """A fault from its strike to its heal."""
    made = fault.strike(stage.site, stage.rng)
    try:
        if made is None:
            raise Missed(f"{fault.name} could not be done")
        stage.injections.append(made)
        yield
    finally:
        fault.heal(stage.site)
    made.until = made.until or round(time.time() * 1000)


def one_byte(stage: Stage) -> None:
    """Hundreds of connections send one byte to the API while others want to be served."""
    with struck(stage, interference.OneByteConnections()):
        for _ in range(4):
            stage.start("fused")
    stage.ends()


def idle_sessions_end(stage: Stage) -> None:
    """PostgreSQL ends every session that idles for a moment, between the requests and steps of all."""
    fault = interference.IdleSessionsEnded()
    fault.times_ms = (100,)  # type: ignore[misc]
    with struck(stage, fault):
        for number in range(8):
            stage.start("line", fails=2 + number % 2, pace=300, stiff=True)
            within(0.5, lambda: False)
        stage.ends(40)


def few_descriptors(stage: Stage) -> None:
    """The API has lost its sessions, and cannot open another file or connection."""
    fault = interference.FewDescriptors()
    fault.roles = ("api-worker",)  # type: ignore[misc]
    path, nothing = f"{RUNS}/{stage.start('fused')}/actions", {"action": "resume", "reason": "selftest"}
    for _ in range(6):
        with struck(stage, fault), session(stage.site) as direct:
            for (pid,) in direct.execute(SESSIONS).fetchall():
                direct.execute("SELECT pg_terminate_backend(%s)", [pid])
            for _ in range(3):
                stage.ask("act", path, nothing, patience_s=0.5)
    stage.ends(40)


def slow_receivers(stage: Stage) -> None:
    """A receiver takes its time for every webhook while a quick one waits for its own."""
    quick = interference.SlowReceiver(0)
    stage.site.users = stage
    try:
        with struck(stage, interference.SlowReceivers()):
            for _ in range(6):
                stage.start("line")
            stage.ends()
            with stage.subscribed(quick.url):
                stage.start("fused")
                if not within(EVENTS_S, lambda: quick.taken >= 2):
                    what = f"a quick receiver got {quick.taken} of 2 events in {EVENTS_S:.0f} s"
                    stage.findings.append(Finding(number="delivery", what=what))
    finally:
        quick.close()


def doubled_and_away(stage: Stage) -> None:
    """Messages of long steps come twice while the database is away for less than a lease."""
    stage.site.users, carrier = stage, courier(stage.site)
    assert carrier is not None, "this scenario needs the proxies"
    fault = LongStepsDoubled()
    fault.long_ms = LONG_MS  # type: ignore[misc]
    with struck(stage, fault):
        stage.until(lambda: callbacks(carrier), "a copy ended badly", TOLD_S)
    held = running(stage.site)
    for queue, text in callbacks(carrier):  # One that came before the database was back had no effect.
        stage.site.redis.lpush(queue.decode(), text.decode())
    queue_name = f"{stage.site.settings.redis_prefix}default"
    stage.until(lambda: stage.site.redis.llen(queue_name) == 0, "a worker takes the callbacks")
    within(HEARD_S, lambda: running(stage.site) != held)
    for run_id in stage.runs:
        stage.cancel(run_id, mode="abandon")
    stage.ends(40)
