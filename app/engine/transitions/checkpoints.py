"""Checkpoints: names for places in the log of a batch. What had completed there is computed, not copied."""

from app.domain.rows.batches import CheckpointRow
from app.engine.transitions.journal import Journal
from app.record.batches import batches


def add(j: Journal, reason: str, *, name: str | None = None, actor: str | None = None) -> CheckpointRow:
    """Make a checkpoint of all that the log of a locked batch tells until now."""
    last = batches.last_checkpoint(j.tx, j.id)
    row: CheckpointRow = {
        "run_id": j.id,
        "sequence": 1 if last is None else last["sequence"] + 1,
        "name": name,
        "reason": reason,
        "upto_seq": j.run["event_seq"],
        "actor": actor,
        "created_at": j.now,
    }
    batches.insert_checkpoint(j.tx, row)
    return row
