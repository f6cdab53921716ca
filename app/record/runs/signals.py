"""Signals: what was sent to runs, and which wait took it."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert, select, update

from app.record.session import Tx
from app.record.tables import signal, step


def store(tx: Tx, run_id: str, values: Mapping[str, Any]) -> None:
    """Keep a signal of a locked run."""
    tx.execute(insert(signal), {"tenant_id": tx.tenant, "run_id": run_id, "received_at": tx.now, **values})


def with_key(tx: Tx, run_id: str, key: str) -> dict[str, Any] | None:
    """The signal that was sent under this idempotency key."""
    where = (signal.c.tenant_id == tx.tenant, signal.c.run_id == run_id, signal.c.idempotency_key == key)
    return tx.row(select(signal).where(*where))


def oldest_unread(tx: Tx, run_id: str, name: str) -> dict[str, Any] | None:
    """The signal of this name that waits longest for somebody to take it."""
    where = (signal.c.tenant_id == tx.tenant, signal.c.run_id == run_id, signal.c.name == name)
    unread = select(signal).where(*where, signal.c.consumed_by.is_(None))
    return tx.row(unread.order_by(signal.c.seq).limit(1))


def consume(tx: Tx, signal_id: str, key: str) -> None:
    """Say which call took a signal."""
    where = (signal.c.tenant_id == tx.tenant, signal.c.id == signal_id)
    tx.execute(update(signal).where(*where).values(consumed_by=key))


def oldest_wait(tx: Tx, run_id: str, name: str) -> dict[str, Any] | None:
    """The first call of a run that waits for a signal of this name."""
    where = (step.c.tenant_id == tx.tenant, step.c.run_id == run_id, step.c.phase == "forward")
    waits = select(step).where(*where, step.c.kind == "signal", step.c.status == "waiting")
    found = tx.rows(waits.order_by(step.c.ordinal))
    return next((row for row in found if row["given"]["name"] == name), None)
