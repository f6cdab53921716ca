"""Ring after the commit: bells become chains; what cannot be published is left to the reconciler."""

import os
import queue
import threading
import time
from collections.abc import Callable, Iterable

import structlog
from celery import Celery
from kombu.exceptions import OperationalError as BrokerDown
from redis.exceptions import RedisError

from app.domain.states import STEP_DONE, Step
from app.engine.journal import Alarm, Halt, Hint, Journal, Letter, journal
from app.engine.timers import TimerSet
from app.record import runs
from app.record.session import Tx
from chains import canvas

log = structlog.get_logger(__name__)
Ring = Callable[[Iterable[Hint]], None]
BACKLOG = 10_000  # Bells that may wait for the publishing thread; the reconciler rings for the others.
BREAK_S = 1.0  # Pause after the broker refused, so that nobody queues up behind a dead one.


def ringer(app: Celery, timers: TimerSet) -> Ring:
    """Publish at once, in the caller's thread; a broker that is away is not the caller's problem."""
    resting_until = 0.0

    def ring(hints: Iterable[Hint]) -> None:
        nonlocal resting_until
        for hint in hints:
            if time.monotonic() < resting_until:
                return
            try:
                _publish(app, timers, hint)
            except (BrokerDown, RedisError, OSError) as error:
                resting_until = time.monotonic() + BREAK_S
                log.warning("hint.unpublished", error=str(error))

    return ring


def _publish(app: Celery, timers: TimerSet, hint: Hint) -> None:
    if isinstance(hint, Alarm):
        timers.put(hint.timer_id, hint.due_at)
    elif isinstance(hint, Halt):
        app.control.revoke(list(hint.task_ids), terminate=True, signal="SIGKILL")
    elif isinstance(hint, Letter):
        canvas.publish_letter(app, delivery_id=hint.delivery_id, fence=hint.fence)
    else:
        canvas.publish(
            app,
            run_id=hint.run_id,
            type_=hint.type,
            phase=hint.phase,
            gen=hint.gen,
            segments=hint.segments,
        )


def background(ring: Ring) -> Ring:
    """Ring from a thread of its own, so that a request never waits for the broker."""
    waiting: queue.Queue[Hint] = queue.Queue(BACKLOG)
    lock = threading.Lock()
    started: list[int] = []

    def work() -> None:
        while True:
            ring([waiting.get()])

    def later(bells: Iterable[Hint]) -> None:
        with lock:
            if started != [os.getpid()]:
                started[:] = [os.getpid()]
                threading.Thread(target=work, name="bells", daemon=True).start()
        for bell in bells:
            try:
                waiting.put_nowait(bell)
            except queue.Full:
                return

    return later


def redispatch(tx: Tx, run_id: str, phase: str | None = None, key: str | None = None) -> list[Hint]:
    """Look again at a run for which a message is expected: ring anew, under a new generation (T10)."""
    with journal(tx, run_id) as j:
        if key is not None and phase is not None:
            _again_branch(j, phase, key)
        else:
            _again_main(j)
        return j.hints


def _again_main(j: Journal) -> None:
    if j.run["expect_since"] is None:
        return
    phase = "comp" if j.status == "compensating" else "forward"
    line = j.line(phase)
    for row in line:
        if row["status"] in STEP_DONE:
            continue
        if row["status"] == Step.PENDING:
            j.set(dispatch_attempts=j.run["dispatch_attempts"] + 1)
            j.ring(row, line)
            return
        break
    j.set(expect_since=None)


def _again_branch(j: Journal, phase: str, key: str) -> None:
    row = runs.one_step(j.tx, j.id, phase, key)
    if row is None or row["expect_since"] is None:
        return
    if row["status"] == Step.PENDING and j.status in ("queued", "running", "waiting"):
        j.ring(row, [other for other in j.line(phase, row["branch"]) if other["ordinal"] >= row["ordinal"]])
    else:
        j.change(row, expect_since=None)
