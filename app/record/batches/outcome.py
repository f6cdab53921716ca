"""What is stored of a batch when its run, or the run of a rollback, ends."""

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
ALL = ""  # Provider and type of the rows that count batches that retention has deleted.


def ended(tx: Tx, run: RunRow, status: str) -> None:
    """The run of a batch or rollback ends: count its operations, or store whether effects are left."""
    batch = batches.read_batch(tx, str(run["resource_id"]))
    if batch is None:
        return
    if run["type"] == WORKFLOW:
        _count(tx, run, batch["definition"] or {})
    elif run["type"] == ROLLBACK:
        # From the rows that are left and not from the result of the run: a rollback of a part leaves the
        # others.
        undone = "failed" if status == "failed" else "part" if stands(tx, batch["lineage"]) else "all"
        batches.change_batch(tx, batch["run_id"], {"undone": undone})


def stands(tx: Tx, lineage: str) -> bool:
    """Whether any effect of a batch and its retries is left."""
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
        # An operation that a retry reuses was counted with the batch that executed it.
        if row["reused_from"] is None and row["key"] in of:
            where = (*of[row["key"]], row["status"])
            counts[where] += 1
            took[where] += max(
                0, (row["completed_at"] or 0) - (row["started_at"] or row["completed_at"] or 0)
            )
    for (provider, type_, status), number in sorted(counts.items()):
        add(tx, run["id"], provider, type_, status, number, took[provider, type_, status])


def add(tx: Tx, run_id: str, provider: str, type_: str, status: str, number: int, duration_ms: int) -> None:
    """Add to the total of this provider, type and status."""
    slot = batches.slot(run_id)
    where = {"tenant_id": tx.tenant, "provider": provider, "type": type_, "status": status, "slot": slot}
    values = {**where, "operations": number, "duration_ms": duration_ms}
    statement = tx.insert(batch_total).values(values)
    more = {
        "operations": batch_total.c.operations + number,
        "duration_ms": batch_total.c.duration_ms + duration_ms,
    }
    tx.execute(statement.on_conflict_do_update(index_elements=list(where), set_=more))
