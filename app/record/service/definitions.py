"""Code workflows as their workers announce them."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from app.record.session import Tx
from app.record.tables import definition


def announce(tx: Tx, name: str, version: str, facts: Mapping[str, Any], fingerprint: str) -> bool:
    """Keep what a worker says of a workflow; whether its source is another one than before."""
    known = tx.row(select(definition).where(*_one(tx, name, version)))
    values = {"facts": dict(facts), "fingerprint": fingerprint, "updated_at": tx.now}
    if known is None:
        first = {"tenant_id": tx.tenant, "name": name, "version": version, "created_at": tx.now}
        tx.execute(tx.insert(definition).values(**first, **values).on_conflict_do_nothing())
        return True
    tx.execute(definition.update().where(*_one(tx, name, version)).values(**values))
    return bool(known["fingerprint"] != fingerprint)


def find(tx: Tx, name: str, version: str | None = None) -> dict[str, Any] | None:
    """A workflow; without a version the one that was announced last."""
    where = [definition.c.tenant_id == tx.tenant, definition.c.name == name]
    if version is not None:
        where.append(definition.c.version == version)
    newest = (definition.c.created_at.desc(), definition.c.version.desc())
    return tx.row(select(definition).where(*where).order_by(*newest).limit(1))


def everything(tx: Tx) -> list[dict[str, Any]]:
    """All workflows, by name and version."""
    found = select(definition).where(definition.c.tenant_id == tx.tenant)
    return tx.rows(found.order_by(definition.c.name, definition.c.version))


def _one(tx: Tx, name: str, version: str) -> tuple[Any, ...]:
    return (definition.c.tenant_id == tx.tenant, definition.c.name == name, definition.c.version == version)
