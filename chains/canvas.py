"""From segments to Celery: a chain of links with an error callback. The only importer of Celery's canvas.

Tasks are named by strings, so that nothing here imports the worker. `chains.messages` says what each of them
is sent; a message holds that and nothing else.
"""

import secrets
from collections.abc import Callable, Sequence
from typing import Any

from celery import Celery, Signature
from celery.canvas import chain

from app.domain.plan import Segment
from chains.messages import DeliveryMessage, LinkMessage, TaskMessage, WakeUp, args_of

ON_ERROR = "windlass.on_error"
WEBHOOK_QUEUE = "webhook"
WAKE_UP = "wake-up"  # What Flower and the worker's log call the task of a wake-up.
LOOK_LIMIT_S = 900  # What may take longer gets a message of its own.
Sign = Callable[
    [str, str, Sequence[object], float], str
]  # Of the id, the task, the arguments, the time limit.
SIGNATURE = "signature"  # The header; workers drop a message without a valid one.
LAST_RESORT_S = 30  # Celery's hard limit comes this much after the steps' own limits.


def links(
    app: Celery, sign: Sign, *, run_id: str, type_: str, phase: str, gen: int, segments: Sequence[Segment]
) -> Signature[object]:
    """The chain of links for these segments, with meaningful names for Flower and the worker's log."""
    signatures = []
    for segment in segments:
        label = segment.label if phase == "forward" else f"undo {segment.label}"
        signatures.append(
            _signed(
                app,
                sign,
                LinkMessage(run_id=run_id, phase=phase, first=segment.first, gen=gen),
                about=f"{run_id}.{phase}.{segment.first}.{gen}",
                queue=segment.queue,
                shadow=f"{type_}/{label}",
                time_limit=segment.limit_ms / 1000 + LAST_RESORT_S,
            )
        )
    # Made here alone and never joined by `|`: releases of Celery have lost or doubled error callbacks of
    # joined chains.
    return signatures[0] if len(signatures) == 1 else chain(*signatures, app=app)


def _signed(
    app: Celery, sign: Sign, message: TaskMessage, *, about: str, time_limit: float, **options: object
) -> Signature[object]:
    """The task of a message. Its id begins with what it is about, differs for each, and cannot be guessed."""
    # The signature covers id, task, arguments and limit: nobody can turn a message that he has seen into
    # another one.
    task_id, args = f"{about}.{secrets.token_hex(8)}", args_of(message)
    return app.signature(
        message.TASK,
        args=args,
        # Results do not travel with the chain: the next link reads them from SQL.
        immutable=True,
        task_id=task_id,
        time_limit=time_limit,
        headers={SIGNATURE: sign(task_id, message.TASK, args, time_limit)},
        argsrepr="-",
        kwargsrepr="-",
        **options,
    )


def publish(app: Celery, sign: Sign, **what: Any) -> None:
    """Send the first link; the chain carries the rest."""
    wake = app.signature(
        ON_ERROR, kwargs={"run_id": what["run_id"]}, queue="default", argsrepr="-", kwargsrepr="-"
    )
    # Not repeated here: SQL knows that the message is expected, and a publisher that waits for Redis would
    # keep a request or a worker waiting with it.
    links(app, sign, **what).apply_async(link_error=wake, retry=False)


def publish_delivery(app: Celery, sign: Sign, message: DeliveryMessage) -> None:
    """Send a webhook delivery on its way; its row says where to and what."""
    about = f"{message.delivery_id}.{message.fence}"
    shadow = "webhook/deliver"
    made = _signed(app, sign, message, about=about, queue=WEBHOOK_QUEUE, shadow=shadow, time_limit=120)
    made.apply_async(retry=False)


def publish_wake_up(app: Celery, sign: Sign, message: WakeUp) -> None:
    """Let whoever is free look for what waits in this queue."""
    about, limit = f"{WAKE_UP}.{message.queue}", LOOK_LIMIT_S + LAST_RESORT_S
    made = _signed(app, sign, message, about=about, queue=message.queue, shadow=WAKE_UP, time_limit=limit)
    made.apply_async(retry=False)
