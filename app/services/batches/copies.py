"""Compares the copies of a batch's checkpoints with SQL. The copies are never used to decide anything."""

from app.domain.errors import NotFound, Unavailable
from app.domain.json import JsonObject
from app.providers.mirror import mirror_of
from app.record.batches import batches, copies
from app.record.session import Tx
from app.services.context import AppContext


def restore_check(ctx: AppContext, batch_id: str) -> list[JsonObject]:
    """For the definition and each checkpoint: whether its copy is the same, differs, or is missing."""
    backend, wanted, told = ctx.db.read(lambda tx: _expected(tx, batch_id))
    try:
        seen = mirror_of(backend, ctx.settings.state).read(batch_id, list(wanted))
    except OSError as error:
        raise Unavailable(f"The copies cannot be read: {error.strerror or error}") from error
    return [
        {
            "name": name,
            "copy": _compared(document, seen.get(name)),
            "backend": backend,
            "problem": told.get(name),
        }
        for name, document in wanted.items()
    ]


def _compared(wanted: JsonObject, seen: JsonObject | None) -> str:
    if seen is None:
        return "missing"
    return "same" if seen == wanted else "differs"


def _expected(tx: Tx, batch_id: str) -> tuple[str, dict[str, JsonObject], dict[str, str | None]]:
    batch = batches.read_batch(tx, batch_id)
    if batch is None:
        raise NotFound(f"There is no batch {batch_id}")
    points = batches.checkpoints(tx, batch_id)
    copied = copies.checkpoints(tx, batch_id)
    documents = {copies.name_of(number): document for number, document in copied.items()}
    problems = {copies.name_of(one["sequence"]): one["mirror_error"] for one in points}
    if documents:
        documents = {copies.BATCH: copies.definition(tx, batch_id), **documents}
    return batch["storage_backend"], documents, problems
