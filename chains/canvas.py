"""From segments to Celery: a chain of links with an error callback. The only importer of Celery's canvas.

The link and the callback are named by strings, so that nothing here imports the worker. A link's message
holds the run, the phase, the first step and the generation, and nothing else.
"""

import secrets
from collections.abc import Callable, Sequence
from typing import Any

from celery import Celery, Signature
from celery.canvas import chain

from app.domain.plan import Segment

LINK = "windlass.link"
ON_ERROR = "windlass.on_error"
WEBHOOK = "webhook"
LOOK = "look"
LOOK_LIMIT_S = 900  # What may take longer gets a message of its own.
Sign = Callable[[str, Sequence[Any], float], str]  # Of the id, the arguments and the time limit.
SIGNATURE = "signature"  # The header; workers drop a message without a valid one.
LAST_RESORT_S = 30  # Celery's hard limit comes this much after the steps' own limits.


def task_id(run_id: str, phase: str, first: str, gen: int) -> str:
    """The Celery id of a link: legible, another one for each message, and not to be guessed."""
    return f"{run_id}.{phase}.{first}.{gen}.{secrets.token_hex(8)}"


def links(
    app: Celery, sign: Sign, *, run_id: str, type_: str, phase: str, gen: int, segments: Sequence[Segment]
) -> Signature[Any]:
    """The chain of links for these segments, with meaningful names for Flower and the worker's log."""
    signatures = []
    for segment in segments:
        label = segment.label if phase == "forward" else f"undo {segment.label}"
        signatures.append(
            _link(
                app,
                sign,
                (run_id, phase, segment.first, gen),
                queue=segment.queue,
                shadow=f"{type_}/{label}",
                time_limit=segment.limit_ms / 1000 + LAST_RESORT_S,
            )
        )
    return signatures[0] if len(signatures) == 1 else chain(*signatures, app=app)


def _link(
    app: Celery, sign: Sign, args: tuple[str, str, str, int], *, time_limit: float, **options: Any
) -> Signature[Any]:
    named = task_id(*args)
    return app.signature(
        LINK,
        args=args,
        immutable=True,
        task_id=named,
        time_limit=time_limit,
        headers={SIGNATURE: sign(named, args, time_limit)},
        argsrepr="-",
        kwargsrepr="-",
        **options,
    )


def publish(app: Celery, sign: Sign, **what: Any) -> None:
    """Send the first link; the chain carries the rest."""
    wake = app.signature(
        ON_ERROR, kwargs={"run_id": what["run_id"]}, queue="default", argsrepr="-", kwargsrepr="-"
    )
    links(app, sign, **what).apply_async(link_error=wake, retry=False)


def publish_letter(app: Celery, sign: Sign, *, delivery_id: str, fence: int) -> None:
    """Send a webhook delivery on its way: a link whose unit is the delivery row."""
    args = (delivery_id, WEBHOOK, "deliver", fence)
    made = _link(app, sign, args, queue=WEBHOOK, shadow="webhook/deliver", time_limit=120)
    made.apply_async(retry=False)


def publish_look(app: Celery, sign: Sign, *, queue: str) -> None:
    """Let whoever is free look for what waits in this queue."""
    limit = LOOK_LIMIT_S + LAST_RESORT_S
    _link(app, sign, (queue, LOOK, "", 0), queue=queue, shadow="look", time_limit=limit).apply_async(
        retry=False
    )
