"""Copies of checkpoints: a failure is told with the checkpoint and never fails its batch."""

from typing import Any

from app.domain.errors import StepError
from app.domain.policy import backoff
from app.record.batches import batches, graphs
from app.record.session import Tx
from tasks.context import Context
from tasks.step import step

TRIES = 3


class NotMirrored(StepError):
    """The copy of a checkpoint could not be written."""

    code = "MIRROR_FAILED"
    nothing_happened = True


@step(retry=backoff("5s", limit=TRIES))
def write(ctx: Context, batch_id: str, sequence: int) -> None:
    """The checkpoint has its copy, or says why not."""
    definition, document = ctx.db.read(lambda tx: _document(tx, batch_id, sequence))
    mirror = ctx.capabilities.mirror
    try:
        if not mirror.has(batch_id, "batch"):
            mirror.write(batch_id, "batch", definition)
        mirror.write(batch_id, f"cp-{sequence:04}", document)
    except OSError as error:
        said = f"{type(error).__name__}: {error.strerror}"
        if ctx.tries < TRIES:
            raise NotMirrored(said) from None
        ctx.db.write(lambda tx: batches.change_checkpoint(tx, batch_id, sequence, {"mirror_error": said}))
        return
    ctx.db.write(
        lambda tx: batches.change_checkpoint(
            tx, batch_id, sequence, {"mirrored_at": tx.now, "mirror_error": None}
        )
    )


def _document(tx: Tx, batch_id: str, sequence: int) -> tuple[dict[str, Any], dict[str, Any]]:
    batch = batches.read_batch(tx, batch_id)
    points = {one["sequence"]: one for one in batches.checkpoints(tx, batch_id)}
    point, before = points[sequence], points.get(sequence - 1)
    after = 0 if before is None else before["upto_seq"]
    done = graphs.completed(tx, batch_id, point["upto_seq"])
    return dict((batch or {}).get("definition") or {}), {
        "batch": batch_id,
        "checkpoint": f"cp-{sequence:04}",
        "reason": point["reason"],
        "created_at": point["created_at"],
        "upto_seq": point["upto_seq"],
        "completed_since": [key for key, seq in sorted(done.items(), key=lambda one: one[1]) if seq > after],
    }
