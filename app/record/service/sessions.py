"""Sessions of people who logged in with an API key: hashes, never tokens."""

from typing import Any

from sqlalchemy import delete, insert, select, update

from app.domain.rows.service import SessionRow
from app.record.paging import Page, Window, page
from app.record.session import Tx
from app.record.tables import api_key, session

_SHOWN = [column for column in session.columns if column.name != "hash"]


def insert_session(tx: Tx, values: SessionRow) -> None:
    """Store a new session."""
    tx.execute(insert(session), {"tenant_id": tx.tenant, "created_at": tx.now, "seen_at": tx.now, **values})


def by_hash(tx: Tx, hash_: str) -> dict[str, Any] | None:
    """The session of this token with its key, as ``key_*``; whatever has become of both."""
    key = [api_key.c[name].label(f"key_{name}") for name in ("name", "scopes", "expires_at", "revoked_at")]
    joined = session.join(
        api_key, (api_key.c.tenant_id == session.c.tenant_id) & (api_key.c.id == session.c.key_id)
    )
    where = (session.c.tenant_id == tx.tenant, session.c.hash == hash_)
    return tx.row(select(*_SHOWN, *key).select_from(joined).where(*where))


def read_session(tx: Tx, session_id: str) -> SessionRow | None:
    """One session, without its hash."""
    where = (session.c.tenant_id == tx.tenant, session.c.id == session_id)
    return tx.row(select(*_SHOWN).where(*where), of=SessionRow)


def list_sessions(tx: Tx, key_id: str | None, idle_since: int, window: Window) -> Page:
    """Which sessions are open, of one key or of all?"""
    where = [session.c.tenant_id == tx.tenant, session.c.ended_at.is_(None)]
    where += [session.c.expires_at > tx.now, session.c.seen_at > idle_since]
    if key_id is not None:
        where.append(session.c.key_id == key_id)
    return page(tx, session, where, window, columns=_SHOWN)


def seen(tx: Tx, session_id: str) -> None:
    """Note that a session was used, unless somebody holds its row."""
    mine = (session.c.tenant_id == tx.tenant, session.c.id == session_id)
    free = select(session.c.id).where(*mine).with_for_update(skip_locked=True)
    tx.execute(update(session).where(*mine, session.c.id.in_(free)).values(seen_at=tx.now))


def end(tx: Tx, session_id: str) -> None:
    """End a session; one that has ended stays as it is."""
    where = (session.c.tenant_id == tx.tenant, session.c.id == session_id, session.c.ended_at.is_(None))
    tx.execute(update(session).where(*where).values(ended_at=tx.now))


def end_of_key(tx: Tx, key_id: str) -> None:
    """End every session of a key."""
    where = (session.c.tenant_id == tx.tenant, session.c.key_id == key_id, session.c.ended_at.is_(None))
    tx.execute(update(session).where(*where).values(ended_at=tx.now))


def forget_before(tx: Tx, before: int, limit: int = 1_000) -> int:
    """Delete sessions that expired before this time, in one small batch; returns how many."""
    old = select(session.c.id).where(session.c.tenant_id == tx.tenant, session.c.expires_at < before)
    ids = [row["id"] for row in tx.rows(old.limit(limit))]
    tx.execute(delete(session).where(session.c.tenant_id == tx.tenant, session.c.id.in_(ids)))
    return len(ids)
