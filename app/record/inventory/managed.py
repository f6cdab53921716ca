"""What clusters and virtual machines share: rows that stand for an object in a management cluster."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Table, func, insert, or_, select, update

from app.domain.observed import older
from app.record.listing import has_tag
from app.record.paging import Page, Window, page
from app.record.session import Tx
from app.record.tables import cluster, vm

Row = dict[str, Any]
GONE = "deleted"


@dataclass(frozen=True, kw_only=True)
class ManagedFilters:
    """What narrows a list of clusters or machines; all given ones must hold."""

    state: str | None = None
    management_id: str | None = None
    name: str | None = None
    template: str | None = None  # Of clusters.
    tags: tuple[str, ...] = field(default=())
    q: str | None = None  # Part of the name, display name or id.


@dataclass(frozen=True)
class Managed:
    """The rows of one kind."""

    table: Table

    def insert(self, tx: Tx, values: Mapping[str, Any]) -> None:
        """Store a new one."""
        always = {"tenant_id": tx.tenant, "created_at": tx.now, "updated_at": tx.now}
        tx.execute(insert(self.table), {**always, **values})

    def read(self, tx: Tx, id_: str, *, lock: bool = False) -> Row | None:
        """One of them, locked until the transaction ends when asked for."""
        found = select(self.table).where(*self._one(tx, id_))
        return tx.row(found.with_for_update() if lock else found)

    def change(self, tx: Tx, id_: str, changes: Mapping[str, Any]) -> None:
        """Change one; its version grows."""
        values = {**changes, "version": self.table.c.version + 1, "updated_at": tx.now}
        tx.execute(update(self.table).where(*self._one(tx, id_)).values(**values))

    def note_seen(self, tx: Tx, id_: str, *, uid: str, version: str, facts: Mapping[str, Any]) -> None:
        """Keep what was just seen of its object, unless a newer version of it was seen already.

        Nothing that people changed is touched.
        """
        one = self._one(tx, id_)
        if older(version, tx.value(select(self.table.c.resource_version).where(*one).with_for_update())):
            return
        seen = {"uid": uid, "resource_version": version, "observed": dict(facts), "observed_at": tx.now}
        tx.execute(update(self.table).where(*one).values(**seen))

    def note_gone(self, tx: Tx, id_: str) -> None:
        """Its object is there no longer."""
        gone = {"uid": None, "resource_version": None, "observed": None, "observed_at": tx.now}
        tx.execute(update(self.table).where(*self._one(tx, id_)).values(**gone))

    def named(self, tx: Tx, management_id: str, name: str) -> str | None:
        """Who has this name in a management cluster?"""
        c = self.table.c
        where = (c.tenant_id == tx.tenant, c.management_id == management_id, c.name == name, c.state != GONE)
        found: str | None = tx.value(select(c.id).where(*where))
        return found

    def count(self, tx: Tx, management_id: str | None = None) -> int:
        """How many are there, of all management clusters or of one?"""
        c = self.table.c
        where = [c.tenant_id == tx.tenant, c.state != GONE]
        if management_id is not None:
            where.append(c.management_id == management_id)
        return int(tx.value(select(func.count()).select_from(self.table).where(*where)))

    def page(self, tx: Tx, filters: ManagedFilters, window: Window) -> Page:
        """Which ones are there? Deleted ones only when their state is asked for."""
        c = self.table.c
        where = [c.tenant_id == tx.tenant]
        where.append(c.state != GONE if filters.state is None else c.state == filters.state)
        for name in ("management_id", "name", "template"):
            value = getattr(filters, name)
            if value is not None:
                where.append(c[name] == value)
        if filters.q is not None:
            searched = (c.name, c.display_name, c.id)
            where.append(or_(*(column.icontains(filters.q, autoescape=True) for column in searched)))
        tagged = [has_tag(tx, self.table, tag) for tag in filters.tags]
        return page(tx, self.table, where + tagged, window)

    def _one(self, tx: Tx, id_: str) -> tuple[ColumnElement[bool], ...]:
        return (self.table.c.tenant_id == tx.tenant, self.table.c.id == id_)


clusters, vms = Managed(cluster), Managed(vm)
