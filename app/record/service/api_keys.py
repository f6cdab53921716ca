"""API keys: hashes and scopes, never tokens."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert, select, update

from app.record.session import Tx
from app.record.tables import api_key


def insert_key(tx: Tx, values: Mapping[str, Any]) -> None:
    """Store a new key."""
    tx.execute(insert(api_key), {"tenant_id": tx.tenant, "created_at": tx.now, **values})


def by_prefix(tx: Tx, prefix: str) -> dict[str, Any] | None:
    """The key whose token begins with this prefix, whatever has become of it."""
    return tx.row(select(api_key).where(api_key.c.prefix == prefix, api_key.c.tenant_id == tx.tenant))


def by_name(tx: Tx, name: str) -> dict[str, Any] | None:
    """The key of this name that is not revoked."""
    where = (api_key.c.tenant_id == tx.tenant, api_key.c.name == name, api_key.c.revoked_at.is_(None))
    return tx.row(select(api_key).where(*where))


def by_id(tx: Tx, key_id: str) -> dict[str, Any] | None:
    """The key of this id, whatever has become of it."""
    return tx.row(select(api_key).where(api_key.c.tenant_id == tx.tenant, api_key.c.id == key_id))


def any_key(tx: Tx) -> bool:
    """Whether there is a key, revoked or not."""
    return tx.row(select(api_key.c.id).where(api_key.c.tenant_id == tx.tenant).limit(1)) is not None


def all_keys(tx: Tx) -> list[dict[str, Any]]:
    """Every key, oldest first."""
    return tx.rows(select(api_key).where(api_key.c.tenant_id == tx.tenant).order_by(api_key.c.created_at))


def revoke(tx: Tx, key_id: str) -> None:
    """Make a key useless."""
    tx.execute(
        update(api_key)
        .where(api_key.c.tenant_id == tx.tenant, api_key.c.id == key_id)
        .values(revoked_at=tx.now)
    )


def used(tx: Tx, key_id: str) -> None:
    """Note that a key was used, unless somebody holds its row."""
    mine = (api_key.c.tenant_id == tx.tenant, api_key.c.id == key_id)
    free = select(api_key.c.id).where(*mine).with_for_update(skip_locked=True)
    tx.execute(update(api_key).where(*mine, api_key.c.id.in_(free)).values(used_at=tx.now))
