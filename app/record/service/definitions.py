"""Code workflows as their workers announce them."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import select

from app.record.fast_path.transition import placeholders, row_of
from app.record.session import Database, Tx
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


def look(db: Database, name: str, version: str | None = None) -> dict[str, Any] | None:
    """The same with one statement of its own, for each start of a run.

    Nothing of it is remembered: a minute later the function may be another one, with other secrets.
    """
    wanted = (db.tenant, name) if version is None else (db.tenant, name, version)

    def ask(cursor: Any) -> dict[str, Any] | None:
        cursor.execute(_look(db.dialect, version is not None), wanted)
        found = cursor.fetchone()
        return None if found is None else row_of(definition, found, db.dialect)

    return db.once(ask)


@cache
def _look(dialect: str, pinned: bool) -> str:
    given, columns = placeholders(dialect), ", ".join(column.name for column in definition.columns)
    where = f"tenant_id = {given()} AND name = {given()}" + (f" AND version = {given()}" if pinned else "")
    return f"SELECT {columns} FROM definition WHERE {where} ORDER BY created_at DESC, version DESC LIMIT 1"


def everything(tx: Tx) -> list[dict[str, Any]]:
    """All workflows, by name and version."""
    found = select(definition).where(definition.c.tenant_id == tx.tenant)
    return tx.rows(found.order_by(definition.c.name, definition.c.version))


def _one(tx: Tx, name: str, version: str) -> tuple[Any, ...]:
    return (definition.c.tenant_id == tx.tenant, definition.c.name == name, definition.c.version == version)
