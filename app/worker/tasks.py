"""The Celery tasks: one for each kind of message (`chains.messages`), and the error callback.

1. Every message but the callback's is signed. One whose signature does not fit was forged, changed, or sent
   by another release: it is dropped, with what it carries, and nothing is read.
2. ``link`` claims in SQL, runs the steps of its segment and lets the chain go on only when the next link will
   find something to do. ``wake_up`` claims what is due in a queue, ``deliver`` attempts one webhook delivery.
3. ``on_error`` is only a reason to check SQL. Celery calls it for steps that succeeded, for copies of
   messages whose step runs and for forged messages, and does not call it for steps that died.
"""

import time
from functools import partial
from typing import Any

import structlog
from celery import Task

from app.engine.process_id import is_gone
from app.engine.reconciler import resume
from app.engine.transitions.journal import Message
from app.record.runs import lost_messages
from app.record.session import Tx
from app.services.deliver import deliver as attempt_delivery
from app.worker import apps_pool, fitness
from app.worker.celery_app import app, runner, settings, world
from app.worker.loop import MOST_S, go_on, run_link
from chains.canvas import LOOK_LIMIT_S, ON_ERROR, SIGNATURE
from chains.messages import DeliveryMessage, LinkMessage, TaskMessage, WakeUp, args_of

log = structlog.get_logger(__name__)


class StepFailed(Exception):
    """Tells Celery that a step has failed for good: Flower shows it and the callback wakes the engine."""


DROPPED = {"ended": "dropped"}


@app.task(name=LinkMessage.TASK, bind=True, throws=(StepFailed,))
def link(self: "Task[Any, Any]", run_id: str, phase: str, first: str, gen: int) -> dict[str, str]:
    """Run one segment of a run, then other work of its queue."""
    if not _is_ours(self.request, LinkMessage(run_id=run_id, phase=phase, first=first, gen=gen)):
        return DROPPED
    began, task_id = time.monotonic(), self.request.id or ""
    ended = run_link(
        runner(),
        run_id=run_id,
        phase=phase,
        key=first,
        gen=gen,
        task_id=task_id,
        chained=bool(self.request.chain),
    )
    log.info("link.ended", run_id=run_id, phase=phase, first=first, gen=gen, word=ended.word)
    took = time.monotonic() - began
    if not ended.chain_goes_on and took < MOST_S and fitness.is_fit():
        queue = (self.request.delivery_info or {})["routing_key"]
        go_on(runner(), str(queue), task_id=task_id, limit_s=_limit_s(self.request) - took)
    if ended.failed:
        raise StepFailed(f"{run_id} {first}: {ended.reason or ended.word}")
    if not ended.chain_goes_on:
        self.request.chain = None  # Ends the chain with a task that Flower shows as successful.
    return {"ended": ended.word, **({"error": ended.reason} if ended.reason else {})}


@app.task(name=WakeUp.TASK, bind=True)
def wake_up(self: "Task[Any, Any]", queue: str) -> dict[str, str]:
    """Claim and run what is due in a queue."""
    if not _is_ours(self.request, WakeUp(queue=queue)):
        return DROPPED
    if queue == apps_pool.QUEUE:
        return {"ended": f"{apps_pool.dispatcher().look()} taken"}
    taken = go_on(runner(), queue, task_id=self.request.id or "", limit_s=_limit_s(self.request))
    return {"ended": f"{taken} taken"}


@app.task(name=DeliveryMessage.TASK, bind=True)
def deliver(self: "Task[Any, Any]", delivery_id: str, fence: int) -> dict[str, str]:
    """Attempt one webhook delivery."""
    if not _is_ours(self.request, DeliveryMessage(delivery_id=delivery_id, fence=fence)):
        return DROPPED
    return {"ended": attempt_delivery(world(), delivery_id, fence)}


def _limit_s(request: Any) -> float:
    return float((request.timelimit or (None,))[0] or LOOK_LIMIT_S)


def _is_ours(request: Any, message: TaskMessage) -> bool:
    """Whether one of us published this message, as it stands: anybody may write into the broker."""
    limit, args = (request.timelimit or (None,))[0], args_of(message)
    signature = request.get(SIGNATURE)
    if world().message_key.verify(signature, request.id or "", message.TASK, args, limit):
        return True
    # Celery would publish what the message carries, whoever wrote it.
    request.chain = request.errbacks = None
    log.warning("message.dropped", task_id=request.id, reason="its signature is missing or wrong")
    return False


@app.task(name=ON_ERROR, bind=True)
def on_error(self: "Task[Any, Any]", task_id: str, run_id: str | None = None) -> None:
    """Celery reports that a link failed: check the steps that it held.

    A step is lost when the process that holds it is gone, or when its lease has ended, and never because of a
    message. For processes of other hosts, the reconcilers of these hosts decide.
    """
    run = runner()
    # Celery calls this for steps that succeeded, for copies of a message whose step is at work, and for
    # messages of a stranger (chaos: "a callback is taken for a fact", "a step whose lease goes on is lost").
    held = run.db.read(lambda tx: lost_messages.held_by_task(tx, task_id))
    for one in held:
        which = (one["run_id"], one["phase"], one["key"], one["fence"])
        gone = is_gone(str(one["holder"]))
        run.publish(run.db.write(partial(_lose, which, silent=not gone)))
    log.info("on_error.looked", run_id=run_id, task_id=task_id, held=len(held))


def _lose(which: tuple[str, str, str, int], tx: Tx, *, silent: bool) -> list[Message]:
    return resume.lose(tx, *which, poison_limit=settings.poison_limit, silent=silent)
