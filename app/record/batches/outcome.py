"""What is written down of a batch when one of its runs ends."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select

from app.domain.rows.runs import RunRow
from app.record.batches import batches, graphs
from app.record.session import Tx
from app.record.tables import batch_total, installation, instance

WORKFLOW, ROLLBACK = "batch.workflow", "batch.rollback"
GONE = "gone"
ALL = ""  # Provider and type of what counts batches that retention has deleted.


def ended(tx: Tx, run: RunRow, status: str) -> None:
    """A run of a batch ends with this status: its operations are counted, or what is left of it is noted."""
    batch = batches.read_batch(tx, str(run["resource_id"]))
    if batch is None:
        return
    if run["type"] == WORKFLOW:
        _count(tx, run, batch["definition"] or {})
    elif run["type"] == ROLLBACK:
        # By the rows that are left, not by the result of the run: a rollback that was asked for a part leaves
        # the others.
        undone = "failed" if status == "failed" else "part" if stands(tx, batch["lineage"]) else "all"
        batches.change_batch(tx, batch["run_id"], {"undone": undone})


def stands(tx: Tx, lineage: str) -> bool:
    """Whether something is left of what a batch and its retries made."""
    for table in (instance, installation):
        where = (table.c.tenant_id == tx.tenant, table.c.lineage == lineage, table.c.state != GONE)
        if tx.value(select(func.count()).select_from(table).where(*where)):
            return True
    return False


def _count(tx: Tx, run: RunRow, definition: Mapping[str, Any]) -> None:
    of = {one["id"]: (one["provider"], one["type"]) for one in definition.get("operations", ())}
    counts: Counter[tuple[str, str, str]] = Counter()
    took: Counter[tuple[str, str, str]] = Counter()
    for row in graphs.members(tx, run["id"]):
        # What a retry inherited was counted with the batch that did it.
        if row["reused_from"] is None and row["key"] in of:
            where = (*of[row["key"]], row["status"])
            counts[where] += 1
            took[where] += max(
                0, (row["completed_at"] or 0) - (row["started_at"] or row["completed_at"] or 0)
            )
    for (provider, type_, status), number in sorted(counts.items()):
        add(tx, run["id"], provider, type_, status, number, took[provider, type_, status])


def add(tx: Tx, run_id: str, provider: str, type_: str, status: str, number: int, duration_ms: int) -> None:
    """Count so many more of this kind that ended like this."""
    slot = batches.slot(run_id)
    where = {"tenant_id": tx.tenant, "provider": provider, "type": type_, "status": status, "slot": slot}
    values = {**where, "operations": number, "duration_ms": duration_ms}
    statement = tx.insert(batch_total).values(values)
    more = {
        "operations": batch_total.c.operations + number,
        "duration_ms": batch_total.c.duration_ms + duration_ms,
    }
    tx.execute(statement.on_conflict_do_update(index_elements=list(where), set_=more))
