"""Numbers that count through all runs and all messages of a tenant."""

from sqlalchemy import Sequence, select

from app.record.session import Tx
from app.record.tables import app_counter
from app.record.tables.apps import event_number, message_number


def next_event(tx: Tx, count: int = 1) -> list[int]:
    """Numbers for this many new events, ascending."""
    return [_next(tx, event_number) for _ in range(count)]


def next_message(tx: Tx) -> int:
    """The number of a new message."""
    return _next(tx, message_number)


def _next(tx: Tx, sequence: Sequence) -> int:
    if tx.dialect == "postgresql":
        return int(tx.value(select(sequence.next_value())))
    one = tx.insert(app_counter).values(tenant_id=tx.tenant, name=sequence.name, value=1)
    raised = one.on_conflict_do_update(
        index_elements=["tenant_id", "name"], set_={"value": app_counter.c.value + 1}
    )
    return int(tx.value(raised.returning(app_counter.c.value)))
