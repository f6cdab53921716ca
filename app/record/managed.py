"""What clusters and virtual machines share: rows that stand for an object in a management cluster."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Table, func, insert, or_, select, update

from app.domain.observed import older
from app.record.listing import has_tag
from app.record.paging import Page, Window, page
from app.record.session import Tx

Row = dict[str, Any]
GONE = "deleted"


@dataclass(frozen=True, kw_only=True)
class ManagedFilters:
    """What narrows a list of clusters or machines; all given ones must hold."""

    state: str | None = None
    management_id: str | None = None
    name: str | None = None
    tags: tuple[str, ...] = field(default=())
    q: str | None = None  # Part of the name, display name or id.


def insert_row(tx: Tx, table: Table, values: Mapping[str, Any]) -> None:
    """Store a new one."""
    tx.execute(insert(table), {"tenant_id": tx.tenant, "created_at": tx.now, "updated_at": tx.now, **values})


def read_row(tx: Tx, table: Table, id_: str, *, lock: bool = False) -> Row | None:
    """One of them, locked until the transaction ends when asked for."""
    found = select(table).where(table.c.tenant_id == tx.tenant, table.c.id == id_)
    return tx.row(found.with_for_update() if lock else found)


def change_row(tx: Tx, table: Table, id_: str, changes: Mapping[str, Any]) -> None:
    """Change one; its version grows."""
    where = (table.c.tenant_id == tx.tenant, table.c.id == id_)
    values = {**changes, "version": table.c.version + 1, "updated_at": tx.now}
    tx.execute(update(table).where(*where).values(**values))


def note_seen(tx: Tx, table: Table, id_: str, *, uid: str, version: str, facts: Mapping[str, Any]) -> None:
    """Keep what was just seen of its object, unless a newer version of it was seen already.

    Nothing that people changed is touched.
    """
    where = (table.c.tenant_id == tx.tenant, table.c.id == id_)
    if older(version, tx.value(select(table.c.resource_version).where(*where).with_for_update())):
        return
    seen = {"uid": uid, "resource_version": version, "observed": dict(facts), "observed_at": tx.now}
    tx.execute(update(table).where(*where).values(**seen))


def note_gone(tx: Tx, table: Table, id_: str) -> None:
    """Its object is there no longer."""
    where = (table.c.tenant_id == tx.tenant, table.c.id == id_)
    gone = {"uid": None, "resource_version": None, "observed": None, "observed_at": tx.now}
    tx.execute(update(table).where(*where).values(**gone))


def named(tx: Tx, table: Table, management_id: str, name: str) -> str | None:
    """Who has this name in a management cluster?"""
    where = (table.c.management_id == management_id, table.c.name == name, table.c.state != GONE)
    found: str | None = tx.value(select(table.c.id).where(table.c.tenant_id == tx.tenant, *where))
    return found


def count(tx: Tx, table: Table, management_id: str | None = None) -> int:
    """How many are there, of all management clusters or of one?"""
    where = [table.c.tenant_id == tx.tenant, table.c.state != GONE]
    if management_id is not None:
        where.append(table.c.management_id == management_id)
    return int(tx.value(select(func.count()).select_from(table).where(*where)))


def list_rows(
    tx: Tx,
    table: Table,
    filters: ManagedFilters,
    window: Window,
    more: Sequence[ColumnElement[bool]] = (),
) -> Page:
    """Which ones are there? Deleted ones only when their state is asked for."""
    where = [table.c.tenant_id == tx.tenant, *more]
    where.append(table.c.state != GONE if filters.state is None else table.c.state == filters.state)
    for column, value in ((table.c.management_id, filters.management_id), (table.c.name, filters.name)):
        if value is not None:
            where.append(column == value)
    if filters.q is not None:
        searched = (table.c.name, table.c.display_name, table.c.id)
        where.append(or_(*(column.icontains(filters.q, autoescape=True) for column in searched)))
    return page(tx, table, where + [has_tag(tx, table, tag) for tag in filters.tags], window)
