"""Sessions of people: begun with an API key, ended with it; idle for 12 hours or 7 days old they are over.

    row, token = sessions.create(world, api_key, agent)   # The token goes into a cookie, and is shown once.
    row, principal = sessions.find(world, token)          # At every request; raises `Unauthorized`.
    sessions.end(world, token)

A session may do what its key may do at the moment: scopes are read anew each time.
"""

import secrets
from contextlib import suppress
from typing import Any, Final

from app.auth.keys import Principal, hash_of
from app.domain.clock import rfc3339
from app.domain.errors import NotFound, Unauthorized, Unavailable
from app.domain.ids import new_id
from app.domain.rows.service import SessionRow
from app.record.paging import Page, Window
from app.record.service import sessions as rows
from app.record.session import Tx
from app.services import audit, keys
from app.services.context import AppContext

Row = dict[str, Any]
IDLE_MS: Final = 12 * 3_600_000
LIFE_MS: Final = 7 * 86_400_000
SEEN_EVERY_MS: Final = 60_000  # How exactly "last seen" is known.
LONGEST_AGENT: Final = 200


def create(world: AppContext, api_key: str, agent: str | None = None) -> tuple[SessionRow, str]:
    """Begin a session for whoever presents this API key; its token is returned once.

    Raises `Unauthorized` for a key that is unknown, revoked or expired.
    """
    principal = keys.principal_of(world, api_key)
    session_id, token = new_id("ses"), f"wls_{secrets.token_urlsafe(32)}"

    def work(tx: Tx) -> SessionRow:
        new: SessionRow = {
            "id": session_id,
            "hash": hash_of(token),
            "key_id": str(principal.key_id),
            "agent": agent[:LONGEST_AGENT] if agent else None,
            "expires_at": tx.now + LIFE_MS,
        }
        rows.insert_session(tx, new)
        audit.note(tx, principal, "session.create", session_id, after={"agent": new["agent"]})
        return _known(tx, session_id)

    return world.db.write(work), token


def find(world: AppContext, token: str) -> tuple[Row, Principal]:
    """The session of this token and who it belongs to; raises `Unauthorized` when it is over or unknown."""
    now, row = world.db.read(lambda tx: (tx.now, rows.by_hash(tx, hash_of(token))))
    if row is None:
        raise Unauthorized("There is no such session: log in.")
    if _is_over(row, now):
        raise Unauthorized("The session is over: log in again.")
    if now - row["seen_at"] > SEEN_EVERY_MS:
        with suppress(Unavailable):  # Nobody is refused because it cannot be noted.
            world.db.write(lambda tx: rows.seen(tx, row["id"]), patience_s=0)
    scopes = frozenset(row["key_scopes"] or ())
    return row, Principal(name=row["key_name"], scopes=scopes, key_id=row["key_id"], door="console")


def end(world: AppContext, token: str) -> None:
    """End the session of this token; one that is unknown or over is no error."""
    found = world.db.read(lambda tx: rows.by_hash(tx, hash_of(token)))
    if found is not None:
        world.db.write(lambda tx: rows.end(tx, found["id"]))


def end_one(world: AppContext, principal: Principal, session_id: str) -> None:
    """End somebody's session by its id; raises `NotFound`."""

    def work(tx: Tx) -> None:
        before = _known(tx, session_id)
        if before["ended_at"] is None:
            rows.end(tx, session_id)
            audit.note(tx, principal, "session.end", session_id, before={"key_id": before["key_id"]})

    world.db.write(work)


def list_(world: AppContext, key_id: str | None, window: Window) -> Page:
    """A page of the open sessions, of one key or of all."""
    return world.db.read(lambda tx: rows.list_sessions(tx, key_id, tx.now - IDLE_MS, window))


def session_object(row: Row) -> Row:
    """A session as answers show it, never its token or its hash."""
    return {
        "id": row["id"],
        "keyId": row["key_id"],
        "agent": row["agent"],
        "createdAt": rfc3339(row["created_at"]),
        "seenAt": rfc3339(row["seen_at"]),
        "expiresAt": rfc3339(row["expires_at"]),
    }


def _is_over(row: Row, now: int) -> bool:
    """Whether the session has ended, was idle for too long or is too old, or its key is no longer valid."""
    ended = row["ended_at"] is not None or row["key_revoked_at"] is not None
    late = now >= row["expires_at"] or now - row["seen_at"] >= IDLE_MS
    return ended or late or (row["key_expires_at"] is not None and row["key_expires_at"] <= now)


def _known(tx: Tx, session_id: str) -> SessionRow:
    row = rows.read_session(tx, session_id)
    if row is None:
        raise NotFound(f"There is no session {session_id}")
    return row
