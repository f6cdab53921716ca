"""API keys: made and revoked by operators, checked at every request."""

import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

from app.auth.keys import LOCAL, Principal, issue, prefix_of, verify
from app.domain.clock import rfc3339
from app.domain.errors import Conflict, NotFound, Unauthorized, Unavailable, ValidationFailed
from app.domain.ids import new_id
from app.record.service import api_keys, sessions
from app.record.session import Database, Tx
from app.services import audit, signing_secrets
from app.services.context import AppContext

Row = dict[str, Any]
NOTE_EVERY_MS = 60_000  # How exactly "last used" is known.
LOOK_EVERY_S = 1.0  # How often a keyless request looks for keys.
_looked_until: WeakKeyDictionary[Database, float] = WeakKeyDictionary()  # When that is due again.


def create(
    world: AppContext,
    name: str,
    scopes: Iterable[str],
    expires: int | None = None,
    *,
    by: Principal = LOCAL,
) -> tuple[Row, str, str]:
    """Make a key; its token and the secret that signs its callbacks are returned once.

    Raises `ValidationFailed` on ``name``, ``scopes`` or ``expiresAt``; `Conflict` for a name that is taken.
    """
    token, record = issue(name, scopes)
    key_id = new_id("key")
    values = {"id": key_id, "name": record.name, "prefix": record.prefix, "hash": record.hash}
    callback_secret, sealed = signing_secrets.fresh(world, key_id)

    def work(tx: Tx) -> Row:
        if api_keys.by_name(tx, name) is not None:
            raise Conflict(f"There is a key called {name!r} already", name=name)
        if expires is not None and expires <= tx.now:
            raise ValidationFailed.of("expiresAt", "Must be later than now")
        api_keys.insert_key(
            tx, {**values, "scopes": list(record.scopes), "expires_at": expires, "callback_secret": sealed}
        )
        made = api_keys.by_name(tx, name)
        assert made is not None
        audit.note(tx, by, "key.create", key_id, after=made)
        return made

    return world.db.write(work), token, callback_secret


def revoke(world: AppContext, name: str, *, by: Principal = LOCAL) -> None:
    """Make the key of this name or id useless at once, and end its sessions."""

    def work(tx: Tx) -> None:
        found = api_keys.by_name(tx, name) or api_keys.by_id(tx, name)
        if found is None or found["revoked_at"] is not None:
            raise NotFound(f"There is no key {name!r} that is in force")
        api_keys.revoke(tx, found["id"])
        sessions.end_of_key(tx, found["id"])
        audit.note(tx, by, "key.revoke", found["id"], before=found)

    world.db.write(work)


def list_(world: AppContext) -> list[Row]:
    """Every key, revoked ones too, without hashes."""
    return [
        {k: v for k, v in row.items() if k not in ("hash", "callback_secret")}
        for row in world.db.read(api_keys.all_keys)
    ]


def shown(world: AppContext) -> list[Row]:
    """Every key as answers show it, oldest first."""
    return world.db.read(lambda tx: [key_object(row, tx.now) for row in api_keys.all_keys(tx)])


def show(world: AppContext, key_id: str) -> Row:
    """One key as answers show it; raises `NotFound`."""

    def look(tx: Tx) -> Row:
        row = api_keys.by_id(tx, key_id)
        if row is None:
            raise NotFound(f"There is no key {key_id}")
        return key_object(row, tx.now)

    return world.db.read(look)


def key_object(row: Row, now: int) -> Row:
    """A key as answers show it, never its token or its hash."""
    expires = row["expires_at"]
    expired = expires is not None and expires <= now
    return {
        "id": row["id"],
        "name": row["name"],
        "prefix": row["prefix"],
        "scopes": list(row["scopes"] or ()),
        "state": "revoked" if row["revoked_at"] is not None else "expired" if expired else "valid",
        "createdAt": rfc3339(row["created_at"]),
        "expiresAt": rfc3339(expires),
        "usedAt": rfc3339(row["used_at"]),
        "revokedAt": rfc3339(row["revoked_at"]),
    }


def any_made(world: AppContext) -> bool:
    """Whether there ever was a key, revoked ones too; one that was just made is seen within a second."""
    now = time.monotonic()
    if now >= _looked_until.get(world.db, 0.0):
        if world.db.read(api_keys.any_key):
            return True
        _looked_until[world.db] = now + LOOK_EVERY_S
    return False


def principal_of(world: AppContext, token: str) -> Principal:
    """Who presents this token; raises `Unauthorized`."""
    row = world.db.read(lambda tx: api_keys.by_prefix(tx, prefix_of(token)))
    if row is None or not verify(token, row["hash"]):
        raise Unauthorized
    now = world.db.read(lambda tx: tx.now)
    if row["revoked_at"] is not None or (row["expires_at"] or now) < now:
        raise Unauthorized("The API key was revoked or has expired.")
    if now - (row["used_at"] or 0) > NOTE_EVERY_MS:
        with suppress(Unavailable):  # A note for people: nobody is refused for want of it.
            world.db.write(lambda tx: api_keys.used(tx, row["id"]), patience_s=0)
    return Principal(name=row["name"], scopes=frozenset(row["scopes"]), key_id=row["id"])
