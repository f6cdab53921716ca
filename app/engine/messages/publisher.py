"""Ring after the commit: bells become chains; what cannot be published is left to the reconciler."""

import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

import structlog
from celery import Celery
from kombu.exceptions import OperationalError as BrokerDown
from redis.exceptions import RedisError

from app.domain.errors import WindlassError
from app.domain.states import STEP_DONE, Step
from app.engine.messages.timer_cache import TimerSet
from app.engine.transitions.journal import Alarm, Bell, Halt, Hint, Journal, Letter, Look, journal
from app.record.runs import runs
from app.record.session import Tx
from chains import canvas

log = structlog.get_logger(__name__)
Ring = Callable[[Iterable[Hint]], None]
BACKLOG = 10_000  # Bells that may wait for the publishing thread; the reconciler rings for the others.
LATE_MS = 5  # What has waited for less will soon be found by a worker that is at work.
DENSE_S, GATHER_S = 0.005, 0.004
RIPEN_S = (LATE_MS + 1) / 1000  # The youngest bell that is gathered has waited too long, too, by then.
BREAK_S = 1.0  # Pause after the broker refused, so that nobody queues up behind a dead one.


def ringer(app: Celery, timers: TimerSet, length: Callable[[str], int], sign: canvas.Sign) -> Ring:
    """Publish at once, in the caller's thread; a broker that is away is not the caller's problem.

    One that refused is left alone for a second: hints of that time are dropped, and not even asked for.
    ``length`` tells how many messages wait in a queue. While one waits, no other is needed: whoever takes it
    looks for everything that is due by then. Only what takes too long for that gets a message in any case.
    """
    resting_until = 0.0

    def ring(hints: Iterable[Hint]) -> None:
        nonlocal resting_until
        if time.monotonic() < resting_until:
            return
        served: set[str] = set()
        try:
            for hint in hints:
                queue = _shared_queue(hint)
                if queue is None:
                    _publish(app, sign, timers, hint)
                elif queue not in served:
                    if length(queue):
                        served.add(queue)
                    else:
                        _publish(app, sign, timers, hint)
        except (BrokerDown, RedisError, OSError, WindlassError) as error:  # The last: no key to sign with.
            resting_until = time.monotonic() + BREAK_S
            log.warning("hint.unpublished", error=str(error))

    return ring


def _shared_queue(hint: Hint) -> str | None:
    """The queue whose next message serves this hint as well."""
    if isinstance(hint, Look):
        return hint.queue
    if isinstance(hint, Bell) and hint.segments[0].limit_ms <= canvas.LOOK_LIMIT_S * 1000:
        return hint.queue
    return None


def _publish(app: Celery, sign: canvas.Sign, timers: TimerSet, hint: Hint) -> None:
    if isinstance(hint, Alarm):
        timers.put(hint.timer_id, hint.due_at)
    elif isinstance(hint, Halt):
        app.control.revoke(list(hint.task_ids), terminate=True, signal="SIGKILL")
    elif isinstance(hint, Letter):
        canvas.publish_letter(app, sign, delivery_id=hint.delivery_id, fence=hint.fence)
    elif isinstance(hint, Look):
        canvas.publish_look(app, sign, queue=hint.queue)
    else:
        canvas.publish(
            app,
            sign,
            run_id=hint.run_id,
            type_=hint.type,
            phase=hint.phase,
            gen=hint.gen,
            segments=hint.segments,
        )


def background(ring: Ring, waits: Callable[[str], bool]) -> Ring:
    """Ring from a thread of its own, so that a request never waits for the broker.

    When bells follow each other closely they are gathered for a moment, and then rung only if something still
    ``waits`` in their queue: workers that are at work find most of it by themselves.
    """
    waiting: queue.Queue[Hint] = queue.Queue(BACKLOG)
    lock = threading.Lock()
    started: list[int] = []

    def work() -> None:
        rung_at = 0.0
        while True:
            hints, gathered = [waiting.get()], False
            if time.monotonic() - rung_at < DENSE_S:
                time.sleep(GATHER_S)
                with suppress(queue.Empty):
                    while True:
                        hints.append(waiting.get_nowait())
                time.sleep(RIPEN_S)
                gathered = True
            try:
                ring(_still_wanted(hints, waits) if gathered else hints)
            except Exception:  # The reconciler rings for these; the thread is for all that come after.
                log.exception("hint.unpublished")
            rung_at = time.monotonic()

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


def _still_wanted(hints: Iterable[Hint], waits: Callable[[str], bool]) -> Iterator[Hint]:
    """One hint for each queue in which something waits, and all that are nobody else's."""
    asked: set[str] = set()
    for hint in hints:
        name = _shared_queue(hint)
        if name is None:
            yield hint
        elif name not in asked:
            asked.add(name)
            with suppress(WindlassError):
                if waits(name):
                    yield hint


def redispatch(
    tx: Tx, run_id: str, phase: str | None = None, key: str | None = None, since: int | None = None
) -> list[Hint]:
    """Ring anew, under a new generation, for a message that is expected (T10), unless somebody did.

    ``since``: from when on it was expected as the caller saw it; None rings in any case.
    """
    with journal(tx, run_id) as j:
        if key is not None and phase is not None:
            _again_branch(j, phase, key, since)
        else:
            _again_main(j, since)
        return j.hints


def _again_main(j: Journal, since: int | None) -> None:
    if j.run["expect_since"] is None or since not in (None, j.run["expect_since"]):
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


def _again_branch(j: Journal, phase: str, key: str, since: int | None) -> None:
    row = runs.one_step(j.tx, j.id, phase, key)
    if row is None or row["expect_since"] is None or since not in (None, row["expect_since"]):
        return
    if row["status"] == Step.PENDING and j.status in ("queued", "running", "waiting"):
        j.ring(row, [other for other in j.line(phase, row["branch"]) if other["ordinal"] >= row["ordinal"]])
    else:
        j.change(row, expect_since=None)
