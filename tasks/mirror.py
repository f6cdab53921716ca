"""Copies of checkpoints: a failure is told with the checkpoint and never fails its batch."""

from app.domain.errors import StepError
from app.domain.json import JsonObject
from app.domain.policy import backoff
from app.record.batches import batches, copies
from app.record.session import Tx
from tasks.context import Context
from tasks.step import step

TRIES = 3


class NotMirrored(StepError):
    """The copy of a checkpoint could not be written."""

    code = "MIRROR_FAILED"
    nothing_happened = True


@step(retry=backoff("5s", limit=TRIES), timeout="2m")
def write(ctx: Context, batch_id: str, sequence: int) -> None:
    """The checkpoint has its copy, or says why not."""
    backend, documents = ctx.db.read(lambda tx: _documents(tx, batch_id, sequence))
    try:
        ctx.capabilities.mirror(backend).write(batch_id, documents)
    except OSError as error:
        said = f"{type(error).__name__}: {error.strerror or error}"
        if ctx.tries < TRIES:
            raise NotMirrored(said) from None
        ctx.db.write(lambda tx: batches.change_checkpoint(tx, batch_id, sequence, {"mirror_error": said}))
        return
    ctx.db.write(
        lambda tx: batches.change_checkpoint(
            tx, batch_id, sequence, {"mirrored_at": tx.now, "mirror_error": None}
        )
    )


def _documents(tx: Tx, batch_id: str, sequence: int) -> tuple[str, dict[str, JsonObject]]:
    """The checkpoint, with the definition as long as no copy was made; and where they belong."""
    backend = batches.backend_of(tx, batch_id) or "filesystem"
    documents = {copies.name_of(sequence): copies.checkpoint(tx, batch_id, sequence)}
    if not batches.has_copies(tx, batch_id):
        documents[copies.BATCH] = copies.definition(tx, batch_id)
    return backend, documents
