"""All rows of one database into another, of the same kind or not; JSON goes as the text that it is."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import JSON, Column, Table, Text, bindparam, cast, func, insert, select, text

from app.domain.errors import Conflict
from app.record.session import Database, Tx
from app.record.tables import app_counter, metadata
from app.record.tables.apps import event_number, message_number

BATCH = 500
# What counts through all rows: a sequence on PostgreSQL, a row of `app_counter` on SQLite.
NUMBERED = (event_number.name, message_number.name)


def copy(source: Database, target: Database) -> dict[str, int]:
    """Copy every table, in one state of the source and one transaction of the target; how many rows each has.

    Raises `Conflict` when the target has rows already.
    """
    with source.reading() as old, target.transaction() as new:
        _check_empty(new)
        copied = {table.name: _copy_table(old, new, table) for table in metadata.sorted_tables}
        _go_on_counting(old, new)
    return copied


def counted(db: Database) -> dict[str, int]:
    """How many rows each table has."""
    with db.reading() as tx:
        return {table.name: _count(tx, table) for table in metadata.sorted_tables}


def _check_empty(tx: Tx) -> None:
    full = [table.name for table in metadata.sorted_tables if _count(tx, table)]
    if full:
        named = ", ".join(full[:5])
        raise Conflict(
            f"The database to be copied to has rows already, in {named}: name an empty one.", tables=full
        )


def _count(tx: Tx, table: Table) -> int:
    return int(tx.value(select(func.count()).select_from(table)))


def _copy_table(old: Tx, new: Tx, table: Table) -> int:
    statement, count = _insert(new, table), 0
    for rows in _batches(old, table):
        new.execute(statement, rows)
        count += len(rows)
    return count


def _batches(tx: Tx, table: Table) -> Iterator[list[dict[str, Any]]]:
    # Cast to text, or the driver would parse the JSON and write it anew with other spaces and numbers.
    shown = [(cast(c, Text) if isinstance(c.type, JSON) else c).label(f"_{c.name}") for c in _stored(table)]
    found = tx.execute(select(*shown)).mappings()
    for rows in iter(lambda: found.fetchmany(BATCH), []):
        yield [dict(row) for row in rows]


def _insert(tx: Tx, table: Table) -> Any:
    values: dict[str, Any] = {}
    for column in _stored(table):
        is_json = isinstance(column.type, JSON)
        given = bindparam(f"_{column.name}", type_=Text() if is_json else column.type)
        values[column.name] = cast(given, column.type) if is_json and tx.dialect == "postgresql" else given
    return insert(table).values(values)


def _stored(table: Table) -> list[Column[Any]]:
    """The columns but those that the database itself fills."""
    return [column for column in table.columns if column.computed is None]


def _go_on_counting(old: Tx, new: Tx) -> None:
    """Number on where the source stopped; rows of `app_counter` are copied between two SQLite databases."""
    for name in NUMBERED:
        last = _last(old, name)
        if last and new.dialect == "postgresql":
            new.execute(text("SELECT setval(:name, :last)"), {"name": name, "last": last})
        elif last and old.dialect == "postgresql":
            new.execute(insert(app_counter).values(tenant_id=new.tenant, name=name, value=last))


def _last(tx: Tx, name: str) -> int:
    if tx.dialect == "postgresql":
        return int(tx.value(text(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {name}")))
    return int(tx.value(select(func.max(app_counter.c.value)).where(app_counter.c.name == name)) or 0)
