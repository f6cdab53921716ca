"""The power of servers as polls find it: which ones are due, and what an answer or a silence changes."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import exists, func, select, update

from app.record.session import Tx
from app.record.tables import lock, server

Row = dict[str, Any]
LEFT_ALONE = ("registering", "decommissioned")
SILENT = "its controller does not answer"


def due(tx: Tx, every_ms: int, limit: int) -> list[Row]:
    """Which servers has nobody asked for so long, and no run works on? The longest unasked come first."""
    asked = func.coalesce(server.c.polled_at, 0)
    worked_on = exists().where(lock.c.tenant_id == tx.tenant, lock.c.resource == "server/" + server.c.id)
    where = (server.c.state.not_in(LEFT_ALONE), server.c.credential.is_not(None), asked <= tx.now - every_ms)
    columns = (server.c.id, server.c.power, server.c.health, server.c.failure_reasons, server.c.version)
    found = select(*columns).where(server.c.tenant_id == tx.tenant, *where, ~worked_on)
    return tx.rows(found.order_by(asked, server.c.id).limit(limit))


def note_asked(tx: Tx, server_id: str) -> None:
    """A server is asked now; it is not due again before long, whatever becomes of whoever asks."""
    where = (server.c.tenant_id == tx.tenant, server.c.id == server_id)
    tx.execute(update(server).where(*where).values(polled_at=tx.now))


def note_power(tx: Tx, row: Mapping[str, Any], power: str) -> Row | None:
    """Keep an answer, unless a run has changed the server meanwhile; what is new in it."""
    silent = row["failure_reasons"] == [SILENT]
    health: Row = {"health": "healthy", "failure_reasons": []} if silent else {}
    return _note(tx, row, {"power": power, **health}, {"last_check_at": tx.now})


def note_silence(tx: Tx, row: Mapping[str, Any]) -> Row | None:
    """Keep that a controller did not answer, unless the server is known to be unwell; what is new in it."""
    if row["health"] == "unhealthy":
        return None
    return _note(tx, row, {"health": "unhealthy", "failure_reasons": [SILENT]}, {})


def _note(tx: Tx, row: Mapping[str, Any], seen: Row, stamp: Row) -> Row | None:
    where = (server.c.tenant_id == tx.tenant, server.c.id == row["id"], server.c.version == row["version"])
    kept = tx.execute(update(server).where(*where).values(**seen, **stamp)).rowcount == 1
    new = {name: value for name, value in seen.items() if value != row[name]}
    return new if kept and new else None
