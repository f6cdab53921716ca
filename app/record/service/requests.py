"""Stored answers for the header Idempotency-Key: one row for each principal, route and key, for 24 hours."""

from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.record.session import Tx
from app.record.tables import api_request

Row = dict[str, Any]


def find(tx: Tx, principal: str, route: str, key: str) -> Row | None:
    """What became of the request with this key?"""
    return tx.row(select(api_request).where(*_where(tx, principal, route, key)))


def open_(tx: Tx, principal: str, route: str, key: str, body_hash: str) -> bool:
    """Note a request before it is served; False when another one was quicker."""
    values: Row = {"principal": principal, "route": route, "key": key, "hash": body_hash, "at": tx.now}
    values["headers"] = {"openedAt": tx.now}  # Stays as it is when another process takes over.
    try:
        # On PostgreSQL a failed statement would end the caller's transaction, in which the other request is
        # then read.
        with tx.connection.begin_nested():
            tx.execute(insert(api_request), {"tenant_id": tx.tenant, **values})
    except IntegrityError:
        return False
    return True


def take_over(tx: Tx, principal: str, route: str, key: str, seen_at: int) -> bool:
    """Take the place of a request that never got an answer; False when another one was quicker."""
    # On the condition of what was seen: of two that find a request without an answer, one takes its place.
    where = (*_where(tx, principal, route, key), api_request.c.at == seen_at, api_request.c.status.is_(None))
    return tx.execute(update(api_request).where(*where).values(at=tx.now)).rowcount == 1


def settle(tx: Tx, principal: str, route: str, key: str, *, status: int, headers: Any, body: Any) -> None:
    """Keep the answer."""
    values = {"status": status, "headers": headers, "body": body}
    tx.execute(update(api_request).where(*_where(tx, principal, route, key)).values(**values))


def give_up(tx: Tx, principal: str, route: str, key: str, at: int) -> None:
    """Let the next one take the place of a request that may have changed something, as if it came then."""
    where = (*_where(tx, principal, route, key), api_request.c.status.is_(None))
    tx.execute(update(api_request).where(*where).values(at=at))


def forget(tx: Tx, principal: str, route: str, key: str) -> None:
    """Drop a request that changed nothing."""
    tx.execute(delete(api_request).where(*_where(tx, principal, route, key)))


def forget_before(tx: Tx, before: int, limit: int = 1_000) -> int:
    """Drop answers that are older than this, in one small batch; returns how many."""
    old = (api_request.c.tenant_id == tx.tenant, api_request.c.at < before)
    found = tx.rows(select(api_request).where(*old).limit(limit).with_for_update(skip_locked=True))
    for row in found:
        forget(tx, row["principal"], row["route"], row["key"])
    return len(found)


def _where(tx: Tx, principal: str, route: str, key: str) -> tuple[Any, ...]:
    return (
        api_request.c.tenant_id == tx.tenant,
        api_request.c.principal == principal,
        api_request.c.route == route,
        api_request.c.key == key,
    )
