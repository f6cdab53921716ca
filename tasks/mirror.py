"""Copies of checkpoints: a failure is told with the checkpoint and never fails its batch."""

from collections.abc import Iterable

from app.domain.errors import StepError
from app.domain.json import JsonObject
from app.domain.policy import backoff
from app.domain.rows.batches import CheckpointRow
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
    """This checkpoint, and those that were made since, have their copies, or say why not."""
    backend, numbers, documents = ctx.db.read(lambda tx: _documents(tx, batch_id, sequence))
    known: CheckpointRow = {"mirror_error": None}
    try:
        ctx.capabilities.mirror(backend).write(batch_id, documents)
    except OSError as error:
        said = f"{type(error).__name__}: {error.strerror or error}"
        if ctx.tries < TRIES:
            raise NotMirrored(said) from None
        known = {"mirror_error": said}
    ctx.db.write(lambda tx: _note(tx, batch_id, numbers, known))


def _note(tx: Tx, batch_id: str, numbers: Iterable[int], known: CheckpointRow) -> None:
    copied: CheckpointRow = {} if known["mirror_error"] else {"mirrored_at": tx.now}
    batches.change_checkpoints(tx, batch_id, numbers, {**known, **copied})


def _documents(tx: Tx, batch_id: str, first: int) -> tuple[str, list[int], dict[str, JsonObject]]:
    """Where the copies belong; the checkpoints, and with them the definition as long as no copy was made."""
    backend = batches.backend_of(tx, batch_id) or "filesystem"
    copied = copies.checkpoints(tx, batch_id, first)
    documents = {copies.name_of(number): document for number, document in copied.items()}
    if not batches.has_copies(tx, batch_id):
        documents[copies.BATCH] = copies.definition(tx, batch_id)
    return backend, list(copied), documents
