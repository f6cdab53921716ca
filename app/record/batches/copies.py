"""The documents that the copies of checkpoints should have, computed from the log of the batch."""

from collections import deque
from typing import Any

from app.domain.rows.batches import CheckpointRow
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


def checkpoints(tx: Tx, batch_id: str, first: int = 1) -> dict[int, dict[str, Any]]:
    """The copies of the checkpoints from this one on, by number.

    Each names what completed since the one before; older events are not read.
    """
    points = batches.checkpoints(tx, batch_id, first=first - 1)
    if not points:
        return {}
    after = points[0]["upto_seq"] if points[0]["sequence"] < first else 0
    told = [one for one in points if one["sequence"] >= first]
    done = graphs.completed(tx, batch_id, points[-1]["upto_seq"], after=after)
    ordered = deque(sorted(done, key=lambda key: done[key]))
    made = {}
    for point in told:
        since: list[str] = []
        while ordered and done[ordered[0]] <= point["upto_seq"]:
            since.append(ordered.popleft())
        made[point["sequence"]] = _document(point, since)
    return made


def _document(point: CheckpointRow, completed: list[str]) -> dict[str, Any]:
    return {
        "batch": point["run_id"],
        "checkpoint": name_of(point["sequence"]),
        "reason": point["reason"],
        "created_at": point["created_at"],
        "upto_seq": point["upto_seq"],
        "completed_since": completed,
    }
