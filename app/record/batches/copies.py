"""What the copy of a checkpoint holds, computed from the log of its batch."""

from typing import Any

from app.record.batches import batches, graphs
from app.record.session import Tx

BATCH = "batch"  # The name of the definition's copy.


def name_of(sequence: int) -> str:
    """The name of a checkpoint's copy, which is its public id."""
    return f"cp-{sequence:04}"


def definition(tx: Tx, batch_id: str) -> dict[str, Any]:
    """The copy of the definition."""
    batch = batches.read_batch(tx, batch_id)
    return dict((batch or {}).get("definition") or {})


def checkpoint(tx: Tx, batch_id: str, sequence: int) -> dict[str, Any]:
    """The copy of a checkpoint: what completed since the one before, and nothing older is read."""
    point = batches.checkpoint_at(tx, batch_id, sequence)
    before = batches.checkpoint_at(tx, batch_id, sequence - 1)
    assert point is not None  # Whoever copies it has just read it, or runs because it was made.
    after = 0 if before is None else before["upto_seq"]
    done = graphs.completed(tx, batch_id, point["upto_seq"], after=after)
    return {
        "batch": batch_id,
        "checkpoint": name_of(sequence),
        "reason": point["reason"],
        "created_at": point["created_at"],
        "upto_seq": point["upto_seq"],
        "completed_since": [key for key, _seq in sorted(done.items(), key=lambda one: one[1])],
    }
