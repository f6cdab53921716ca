"""Publish messages after the commit; the reconciler publishes again what could not be published.

1. A transition collects what it wants published. SQL says since when a message is expected
   (``expect_since``).
2. After the commit the messages come here. Publishing before the commit could start a worker that finds
   nothing to do, and nobody would publish again.
3. A message for a queue that already holds one is not published: the consumer of that one claims all other
   work that is due. Steps that may take long always have their own message.
4. Requests hand messages to a thread and never wait for the broker. Messages that follow each other closely
   are gathered for a moment and published only if their queue still has work that waits.
5. A broker that refuses is left alone for a second; messages of that time are dropped. This is safe: they are
   expected in SQL, and the reconciler publishes them under a new generation (T10).
"""

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

from app.domain.apps.words import QUEUE as APPS
from app.domain.errors import WindlassError
from app.domain.states import STEP_DONE, StepStatus
from app.engine.messages.timer_cache import TimerSet
from app.engine.transitions.journal import Halt, Journal, Message, RunMessage, TimerMessage, journal
from app.record.runs import runs
from app.record.session import Tx
from chains import canvas
from chains.messages import DeliveryMessage, WakeUp

log = structlog.get_logger(__name__)
Publisher = Callable[[Iterable[Message]], None]
BACKLOG = 10_000  # Messages that wait for the publishing thread; the reconciler publishes the others.
LATE_MS = 5  # Work that has waited for less will soon be claimed by a busy worker.
DENSE_S, GATHER_S = 0.005, 0.004
RIPEN_S = (LATE_MS + 1) / 1000  # After this, the youngest gathered message has waited too long as well.
BREAK_S = 1.0  # Pause after the broker refused, so that nobody queues up behind a dead one.


def new_publisher(
    app: Celery,
    timers: TimerSet,
    length: Callable[[str], int],
    sign: canvas.Sign,
    wake_apps: Callable[[], None],
) -> Publisher:
    """Publish at once, in the caller's thread; the caller never sees an error of the broker.

    ``length`` returns how many messages wait in a queue; ``wake_apps`` wakes who delivers those of apps.
    """
    resting_until = 0.0

    def publish(messages: Iterable[Message]) -> None:
        nonlocal resting_until
        if time.monotonic() < resting_until:
            return
        served: set[str] = set()
        try:
            for message in messages:
                queue = _shared_queue(message)
                if queue is None:
                    _publish(app, sign, timers, message)
                elif queue not in served:
                    if queue == APPS:
                        served.add(queue)
                        wake_apps()
                    elif length(queue):
                        served.add(queue)
                    else:
                        _publish(app, sign, timers, message)
        except (BrokerDown, RedisError, OSError, WindlassError) as error:  # The last: no key to sign with.
            resting_until = time.monotonic() + BREAK_S
            log.warning("message.unpublished", error=str(error))

    return publish


def _shared_queue(message: Message) -> str | None:
    """The queue whose next message serves this message as well."""
    if isinstance(message, WakeUp):
        return message.queue
    if isinstance(message, RunMessage) and message.segments[0].limit_ms <= canvas.LOOK_LIMIT_S * 1000:
        return message.queue
    return None


def _publish(app: Celery, sign: canvas.Sign, timers: TimerSet, message: Message) -> None:
    if isinstance(message, TimerMessage):
        timers.put(message.timer_id, message.due_at)
    elif isinstance(message, Halt):
        app.control.revoke(list(message.task_ids), terminate=True, signal="SIGKILL")
    elif isinstance(message, DeliveryMessage):
        canvas.publish_delivery(app, sign, message)
    elif isinstance(message, WakeUp):
        canvas.publish_wake_up(app, sign, message)
    else:
        canvas.publish(
            app,
            sign,
            run_id=message.run_id,
            type_=message.type,
            phase=message.phase,
            gen=message.gen,
            segments=message.segments,
        )


def background(publish: Publisher, waits: Callable[[str], bool]) -> Publisher:
    """Publish from a thread, so that a request never waits for the broker.

    ``waits`` returns whether a queue still has work that nobody has claimed.
    """
    waiting: queue.Queue[Message] = queue.Queue(BACKLOG)
    lock = threading.Lock()
    started: list[int] = []

    def work() -> None:
        rung_at = 0.0
        while True:
            messages, gathered = [waiting.get()], False
            if time.monotonic() - rung_at < DENSE_S:
                time.sleep(GATHER_S)
                with suppress(queue.Empty):
                    while True:
                        messages.append(waiting.get_nowait())
                if any(_shared_queue(one) not in (None, APPS) for one in messages):
                    time.sleep(RIPEN_S)
                gathered = True
            try:
                publish(_still_wanted(messages, waits) if gathered else messages)
            except Exception:  # The reconciler publishes these; the thread must live for later ones.
                log.exception("message.unpublished")
            rung_at = time.monotonic()

    def later(run_messages: Iterable[Message]) -> None:
        # Threads do not survive a fork: each process starts its own on first use.
        with lock:
            if started != [os.getpid()]:
                started[:] = [os.getpid()]
                threading.Thread(target=work, name="publications", daemon=True).start()
        for run_message in run_messages:
            try:
                waiting.put_nowait(run_message)
            except queue.Full:
                return

    return later


def _still_wanted(messages: Iterable[Message], waits: Callable[[str], bool]) -> Iterator[Message]:
    """One message for each queue that has unclaimed work, and all that need a message of their own."""
    asked: set[str] = set()
    for message in messages:
        name = _shared_queue(message)
        if name is None:
            yield message
        elif name not in asked:
            asked.add(name)
            with suppress(WindlassError):
                if waits(name):
                    yield message


def redispatch(
    tx: Tx, run_id: str, phase: str | None = None, key: str | None = None, since: int | None = None
) -> list[Message]:
    """Publish an expected message again, under a new generation (T10).

    ``since`` is the value of ``expect_since`` that the caller saw. When it has changed, somebody else has
    published already, and a second message would only be dropped. None publishes in any case.
    """
    with journal(tx, run_id) as j:
        if key is not None and phase is not None:
            _again_branch(j, phase, key, since)
        else:
            _again_main(j, since)
        return j.messages


def _again_main(j: Journal, since: int | None) -> None:
    if j.run["expect_since"] is None or since not in (None, j.run["expect_since"]):
        return
    phase = "comp" if j.status == "compensating" else "forward"
    line = j.line(phase)
    for row in line:
        if row["status"] in STEP_DONE:
            continue
        if row["status"] == StepStatus.PENDING:
            j.set(dispatch_attempts=j.run["dispatch_attempts"] + 1)
            j.enqueue(row, line)
            return
        break
    j.set(expect_since=None)


def _again_branch(j: Journal, phase: str, key: str, since: int | None) -> None:
    row = runs.one_step(j.tx, j.id, phase, key)
    if row is None or row["expect_since"] is None or since not in (None, row["expect_since"]):
        return
    if row["status"] == StepStatus.PENDING and j.status in ("queued", "running", "waiting"):
        j.enqueue(
            row, [other for other in j.line(phase, row["branch"]) if other["ordinal"] >= row["ordinal"]]
        )
    else:
        j.change(row, expect_since=None)
