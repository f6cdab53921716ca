"""The power of servers as polls find it: which ones are due, and what an answer or a silence says."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import exists, func, select, update

from app.record.session import Tx
from app.record.tables import lock, server

Row = dict[str, Any]
LEFT_ALONE = ("registering", "decommissioned")
SILENT = "its controller does not answer"
ODD = "its controller's answer could not be read"
# By the code of an error: what a poll says of a server that it could not ask.
WORDS = {
    "BMC_CONNECTION_FAILED": SILENT,
    "BMC_AUTH_FAILED": "its controller refuses the login",
    "BMC_REFUSED": "its controller refuses to tell the power",
}
TROUBLES = frozenset({ODD, *WORDS.values()})  # A poll that is answered takes them back.


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
    """What an answer says of a server that is not recorded yet; no power is one that we have no word for."""
    answers_again: Row = {"health": "healthy", "failure_reasons": []}
    told = row["failure_reasons"] or []
    seen = {"power": power, **(answers_again if len(told) == 1 and told[0] in TROUBLES else {})}
    return {name: value for name, value in seen.items() if value != row[name]}


def trouble(row: Mapping[str, Any], word: str) -> Row:
    """What the failure to ask says of a server that is not recorded yet."""
    known = row["health"] == "unhealthy"  # Whoever found it unwell had a better reason.
    return {} if known else {"health": "unhealthy", "failure_reasons": [word]}


def keep(tx: Tx, server_id: str, version: int, new: Mapping[str, Any], *, answered: bool) -> None:
    """Keep what is new, unless somebody has changed the server since it was asked."""
    # A run may have switched the machine after it was asked: the answer is older than what the row says now.
    where = (server.c.tenant_id == tx.tenant, server.c.id == server_id, server.c.version == version)
    checked = {"last_check_at": tx.now} if answered else {}
    if new or checked:
        tx.execute(update(server).where(*where).values(**new, **checked))
