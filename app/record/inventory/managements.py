"""Management clusters, and how to get into them."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, delete, insert, select, update

from app.record.paging import Page, Window, page
from app.record.session import Tx
from app.record.tables import management

Row = dict[str, Any]


def insert_management(tx: Tx, values: Mapping[str, Any]) -> None:
    """Store a new management cluster."""
    stored = {"tenant_id": tx.tenant, "created_at": tx.now, "updated_at": tx.now, **values}
    tx.execute(insert(management), stored)


def read_management(tx: Tx, management_id: str, *, lock: bool = False) -> Row | None:
    """A management cluster, locked until the transaction ends when asked for."""
    found = select(management).where(*_one(tx, management_id))
    return tx.row(found.with_for_update() if lock else found)


def management_named(tx: Tx, name: str) -> str | None:
    """The management cluster of this name."""
    where = (management.c.tenant_id == tx.tenant, management.c.name == name)
    found: str | None = tx.value(select(management.c.id).where(*where))
    return found


def only_management(tx: Tx) -> str | None:
    """The management cluster that is meant when none is named: the only one."""
    found = tx.rows(select(management.c.id).where(management.c.tenant_id == tx.tenant).limit(2))
    return str(found[0]["id"]) if len(found) == 1 else None


def change_management(tx: Tx, management_id: str, changes: Mapping[str, Any]) -> None:
    """Change a management cluster; its version grows."""
    values = {**changes, "version": management.c.version + 1, "updated_at": tx.now}
    tx.execute(update(management).where(*_one(tx, management_id)).values(**values))


def delete_management(tx: Tx, management_id: str) -> None:
    """Forget a management cluster."""
    tx.execute(delete(management).where(*_one(tx, management_id)))


def list_managements(tx: Tx, window: Window) -> Page:
    """Which management clusters are there?"""
    return page(tx, management, [management.c.tenant_id == tx.tenant], window)


def sealed_managements(tx: Tx) -> list[Row]:
    """Every management cluster with a sealed access, for rotation."""
    columns = (management.c.id, management.c.access, management.c.access_version)
    where = (management.c.tenant_id == tx.tenant, management.c.access.is_not(None))
    return tx.rows(select(*columns).where(*where))


def reseal(tx: Tx, management_id: str, version: int, access: str) -> bool:
    """Replace a sealed access unless it was changed meanwhile."""
    unchanged = (*_one(tx, management_id), management.c.access_version == version)
    return tx.execute(update(management).where(*unchanged).values(access=access)).rowcount == 1


def _one(tx: Tx, management_id: str) -> tuple[ColumnElement[bool], ...]:
    return (management.c.tenant_id == tx.tenant, management.c.id == management_id)
