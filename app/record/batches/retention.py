"""Deletes, with the run of a batch, its child runs, edges, checkpoints and its row."""

from sqlalchemy import delete, select

from app.record.batches import listing, outcome
from app.record.runs import runs
from app.record.session import Tx
from app.record.tables import batch, checkpoint, edge, run


def forget(tx: Tx, run_id: str) -> None:
    """Delete an ended run and its rows as a batch; the totals keep counting it."""
    found = listing.brief(tx, run_id)
    if found is not None:
        outcome.add(tx, run_id, outcome.ALL, outcome.ALL, found["shown_status"], 1, 0)
    # No list shows these runs, so nothing else would ever delete them.
    for child in _children(tx, run_id):
        forget(tx, child)
    for table in (edge, checkpoint, batch):
        tx.execute(delete(table).where(table.c.tenant_id == tx.tenant, table.c.run_id == run_id))
    runs.delete_run(tx, run_id)


def _children(tx: Tx, run_id: str) -> list[str]:
    """The runs of a batch's operations, which no list shows."""
    where = (run.c.tenant_id == tx.tenant, run.c.parent_run_id == run_id, run.c.type.in_(runs.OPERATIONS))
    return [row["id"] for row in tx.rows(select(run.c.id).where(*where, run.c.completed_at.is_not(None)))]
