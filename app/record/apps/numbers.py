"""Numbers of the events and messages of a tenant, unique over all runs, and the counters of its metrics."""

from sqlalchemy import Sequence, select, text

from app.record.session import Tx
from app.record.tables import app_counter
from app.record.tables.apps import event_number, message_number


def next_event(tx: Tx, count: int = 1) -> list[int]:
    """Numbers for this many new events, ascending."""
    return [_next(tx, event_number) for _ in range(count)]


def next_message(tx: Tx) -> int:
    """The number of a new message."""
    return _next(tx, message_number)


def last_event(tx: Tx) -> int:
    """The number of the newest event: about as many were written, since a rollback leaves a gap."""
    if tx.dialect == "postgresql":
        last = text(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {event_number.name}")
        return int(tx.value(last))
    return counters(tx).get(event_number.name, 0)


def add(tx: Tx, name: str, more: int) -> int:
    """Increase a counter; returns its new value."""
    first = tx.insert(app_counter).values(tenant_id=tx.tenant, name=name, value=more)
    raised = first.on_conflict_do_update(
        index_elements=["tenant_id", "name"], set_={"value": app_counter.c.value + more}
    )
    return int(tx.value(raised.returning(app_counter.c.value)))


def counters(tx: Tx) -> dict[str, int]:
    """All counters by their names."""
    found = select(app_counter.c.name, app_counter.c.value).where(app_counter.c.tenant_id == tx.tenant)
    return {row["name"]: row["value"] for row in tx.rows(found)}


def _next(tx: Tx, sequence: Sequence) -> int:
    if tx.dialect == "postgresql":
        return int(tx.value(select(sequence.next_value())))
    # SQLite has no sequences, and one writer at a time. On PostgreSQL the writers of all runs would wait for
    # each other at this row.
    return add(tx, sequence.name, 1)
