"""Which resource is meant: by its name, its serial number, or a part of its id."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, and_, func, or_, select

from app.record.session import Tx
from app.record.tables import account, cluster, management, pool, schedule, server, vm

Row = dict[str, Any]
MOST = 6  # One more than is shown of those that could be meant.
SHORTEST = 4  # Fewer characters of an id say nothing.


@dataclass(frozen=True, kw_only=True)
class Named:
    """One kind of resource that people name."""

    called: str
    table: Table
    names: tuple[str, ...]  # The columns that hold its names, the one that is shown first.
    gone: str | None = None  # The state of those that are no longer there.


KINDS: Mapping[str, Named] = {
    "srv": Named(called="server", table=server, names=("display_name", "serial"), gone="decommissioned"),
    "pool": Named(called="pool", table=pool, names=("name",)),
    "cls": Named(called="cluster", table=cluster, names=("name", "display_name"), gone="deleted"),
    "vm": Named(called="machine", table=vm, names=("name", "display_name"), gone="deleted"),
    "acc": Named(called="account", table=account, names=("name",)),
    "mgt": Named(called="management cluster", table=management, names=("name",)),
    "sch": Named(called="schedule", table=schedule, names=("name",)),
}


def meant(tx: Tx, prefix: str, text: str) -> list[Row]:
    """Those that are called so; else those whose id begins or ends so.

    The beginning of a name is not enough: m1 shall never mean m10, least of all when m1 is gone.
    """
    kind = KINDS[prefix]
    names = [kind.table.c[name] for name in kind.names]
    tries = [or_(*(name == text for name in names))]
    if len(text.removeprefix(f"{prefix}_")) >= SHORTEST:
        id_ = kind.table.c.id
        tries.append(or_(_begins(id_, text), _begins(id_, f"{prefix}_{text}"), _ends(id_, text)))
    for condition in tries:
        found = _rows(tx, kind, condition)
        if found:
            return found
    return []


def names_of(tx: Tx, prefix: str, ids: set[str]) -> dict[str, str]:
    """What people call these; those without a name are left out."""
    if not ids:
        return {}
    table = KINDS[prefix].table
    name_column = table.c[KINDS[prefix].names[0]].label("name")
    where = (table.c.tenant_id == tx.tenant, table.c.id.in_(sorted(ids)), name_column.is_not(None))
    return {row["id"]: row["name"] for row in tx.rows(select(table.c.id, name_column).where(*where))}


def _rows(tx: Tx, kind: Named, condition: ColumnElement[bool]) -> list[Row]:
    table = kind.table
    there = table.c.state != kind.gone if kind.gone else and_(True)
    where = (table.c.tenant_id == tx.tenant, there, condition)
    shown = [table.c.id, table.c[kind.names[0]].label("name")]
    return tx.rows(select(*shown).where(*where).order_by(table.c.id).limit(MOST))


# Not LIKE: one database heeds upper and lower case there, and the other does not.
def _begins(column: Column[Any], text: str) -> ColumnElement[bool]:
    return func.substr(column, 1, len(text)) == text


def _ends(column: Column[Any], text: str) -> ColumnElement[bool]:
    return func.substr(column, func.length(column) - len(text) + 1) == text
