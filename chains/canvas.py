"""From segments to Celery: a chain of links with an error callback. The only importer of Celery's canvas.

The link and the callback are named by strings, so that nothing here imports the worker. A link's message
holds the run, the phase, the first step and the generation, and nothing else.
"""

import secrets
from collections.abc import Sequence
from typing import Any

from celery import Celery, Signature
from celery.canvas import chain

from app.domain.plan import Segment

LINK = "windlass.link"
ON_ERROR = "windlass.on_error"
WEBHOOK = "webhook"
LOOK = "look"
LOOK_LIMIT_S = 900  # What may take longer gets a message of its own.
LAST_RESORT_S = 30  # Celery's hard limit comes this much after the steps' own limits.


def task_id(run_id: str, phase: str, first: str, gen: int) -> str:
    """The Celery id of a link: legible, another one for each message, and not to be guessed."""
    return f"{run_id}.{phase}.{first}.{gen}.{secrets.token_hex(8)}"


def links(
    app: Celery, *, run_id: str, type_: str, phase: str, gen: int, segments: Sequence[Segment]
) -> Signature[Any]:
    """The chain of links for these segments, with meaningful names for Flower and the worker's log."""
    signatures = []
    for segment in segments:
        label = segment.label if phase == "forward" else f"undo {segment.label}"
        signatures.append(
            app.signature(
                LINK,
                args=(run_id, phase, segment.first, gen),
                immutable=True,
                queue=segment.queue,
                task_id=task_id(run_id, phase, segment.first, gen),
                shadow=f"{type_}/{label}",
                time_limit=segment.limit_ms / 1000 + LAST_RESORT_S,
                argsrepr="-",
                kwargsrepr="-",
            )
        )
    return signatures[0] if len(signatures) == 1 else chain(*signatures, app=app)


def publish(app: Celery, **what: Any) -> None:
    """Send the first link; the chain carries the rest."""
    wake = app.signature(
        ON_ERROR, kwargs={"run_id": what["run_id"]}, queue="default", argsrepr="-", kwargsrepr="-"
    )
    links(app, **what).apply_async(link_error=wake, retry=False)


def publish_letter(app: Celery, *, delivery_id: str, fence: int) -> None:
    """Send a webhook delivery on its way: a link whose unit is the delivery row."""
    signature = app.signature(
        LINK,
        args=(delivery_id, WEBHOOK, "deliver", fence),
        queue=WEBHOOK,
        task_id=task_id(delivery_id, WEBHOOK, "deliver", fence),
        shadow="webhook/deliver",
        time_limit=120,
        argsrepr="-",
        kwargsrepr="-",
    )
    signature.apply_async(retry=False)


def publish_look(app: Celery, *, queue: str) -> None:
    """Let whoever is free look for what waits in this queue."""
    signature = app.signature(
        LINK,
        args=(queue, LOOK, "", 0),
        queue=queue,
        shadow="look",
        time_limit=LOOK_LIMIT_S + LAST_RESORT_S,
        argsrepr="-",
        kwargsrepr="-",
    )
    signature.apply_async(retry=False)
