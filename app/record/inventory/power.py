"""The power of servers as polls find it: which ones are due, and what an answer or a silence says."""

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


def news(row: Mapping[str, Any], power: str | None) -> Row:
    """What an answer, or a silence, says of a server that is not recorded yet."""
    if power is None:
        known = row["health"] == "unhealthy"  # Whoever found it unwell had a better reason.
        return {} if known else {"health": "unhealthy", "failure_reasons": [SILENT]}
    answers_again: Row = {"health": "healthy", "failure_reasons": []}
    seen = {"power": power, **(answers_again if row["failure_reasons"] == [SILENT] else {})}
    return {name: value for name, value in seen.items() if value != row[name]}


def keep(tx: Tx, server_id: str, version: int, new: Mapping[str, Any], *, answered: bool) -> None:
    """Keep what is new, unless somebody has changed the server since it was asked."""
    where = (server.c.tenant_id == tx.tenant, server.c.id == server_id, server.c.version == version)
    checked = {"last_check_at": tx.now} if answered else {}
    if new or checked:
        tx.execute(update(server).where(*where).values(**new, **checked))
