"""Checkpoints: names for places in the log of a batch. What had completed there is computed, not copied."""

from dataclasses import replace

from app.domain.ids import derived_id
from app.domain.rows.batches import CheckpointRow
from app.engine.transitions import accept
from app.engine.transitions.accept import Order
from app.engine.transitions.journal import Journal
from app.engine.transitions.step_rows import step_row
from app.record.batches import batches
from chains import catalogue

MIRROR = "batch.mirror"  # The type of the runs that copy checkpoints.
NEAR = 32  # Of so many checkpoints before, the runs that copy them are looked at.


def add(j: Journal, reason: str, *, name: str | None = None, actor: str | None = None) -> CheckpointRow:
    """Make a checkpoint of all that the log of a locked batch tells until now, and have it copied."""
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
    number = row["sequence"]
    before = [_mirror_id(j, one) for one in range(max(1, number - NEAR), number)]
    # One that has not begun copies this checkpoint as well: it reads which there are once it runs.
    ahead = bool(before) and batches.is_queued(j.tx, before)
    batches.insert_checkpoint(j.tx, row)
    if not ahead:
        _mirror(j, number)
    return row


def _mirror(j: Journal, sequence: int) -> None:
    """A run of its own writes the copies from this one on; the batch does not wait for it."""
    kind = catalogue.lookup(MIRROR)
    given = {"batch_id": j.id, "sequence": sequence}
    mirror_id = _mirror_id(j, sequence)
    rows = [step_row(mirror_id, row) for row in kind.plan(given).rows()]
    order = Order(type=MIRROR, input=given, parent_run_id=j.id)
    actor = j.run["triggered_by"]
    new = accept.of_type(kind, mirror_id, order, given, rows, actor)
    copied = accept.store(j.tx, replace(new, measured=False))
    j.messages += copied.messages


def _mirror_id(j: Journal, sequence: int) -> str:
    return derived_id("run", j.id, MIRROR, str(sequence))
