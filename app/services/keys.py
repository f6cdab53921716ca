"""API keys: made and revoked by operators, checked at every request."""

import time
from collections.abc import Iterable
from typing import Any
from weakref import WeakKeyDictionary

from app.auth.keys import Principal, issue, prefix_of, verify
from app.domain.errors import Conflict, NotFound, Unauthorized
from app.domain.ids import new_id
from app.record.service import api_keys
from app.record.session import Database, Tx
from app.services import signing_secrets
from app.services.context import AppContext

Row = dict[str, Any]
NOTE_EVERY_MS = 60_000  # How exactly "last used" is known.
LOOK_EVERY_S = 1.0  # How often a keyless request looks for keys.
_looked_until: WeakKeyDictionary[Database, float] = WeakKeyDictionary()  # When that is due again.


def create(
    world: AppContext, name: str, scopes: Iterable[str], expires: int | None = None
) -> tuple[Row, str, str]:
    """Make a key; its token and the secret that signs its callbacks are returned once."""
    token, record = issue(name, scopes)
    key_id = new_id("key")
    values = {"id": key_id, "name": record.name, "prefix": record.prefix, "hash": record.hash}
    callback_secret, sealed = signing_secrets.fresh(world, key_id)

    def work(tx: Tx) -> Row:
        if api_keys.by_name(tx, name) is not None:
            raise Conflict(f"There is a key called {name!r} already", name=name)
        api_keys.insert_key(
            tx, {**values, "scopes": list(record.scopes), "expires_at": expires, "callback_secret": sealed}
        )
        made = api_keys.by_name(tx, name)
        assert made is not None
        return made

    return world.db.write(work), token, callback_secret


def revoke(world: AppContext, name: str) -> None:
    """Make the key of this name useless at once."""

    def work(tx: Tx) -> None:
        found = api_keys.by_name(tx, name)
        if found is None:
            raise NotFound(f"There is no key called {name!r}")
        api_keys.revoke(tx, found["id"])

    world.db.write(work)


def list_(world: AppContext) -> list[Row]:
    """Every key, revoked ones too, without hashes."""
    return [
        {k: v for k, v in row.items() if k not in ("hash", "callback_secret")}
        for row in world.db.read(api_keys.all_keys)
    ]


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
        world.db.write(lambda tx: api_keys.used(tx, row["id"]))
    return Principal(name=row["name"], scopes=frozenset(row["scopes"]))
