"""Logs with an event a row, as they were written before a row held all events of a transition."""

from sqlalchemy import delete, insert

from app.record.runs import runs
from app.record.session import Tx
from app.record.tables import event


def open_log(tx: Tx, run_id: str) -> None:
    """Write the log of a run anew, an event a row."""
    rows = runs.events_of(tx, run_id)
    tx.execute(delete(event).where(event.c.tenant_id == tx.tenant, event.c.run_id == run_id))
    tx.execute(insert(event), [{**row} for row in rows])
