"""The effects of items that a rollback has to undo: servers, and what was installed on them.

A row is written before the order is sent, so that an effect is known even if the answer is lost. A writer of
a row holds the lock of the server's name, or works on an item whose run holds it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import ColumnElement, Table, func, insert, select, update

from app.domain.ids import new_id
from app.domain.rows.batches import InstallationRow, InstanceRow
from app.record.fast_path.transition import placeholders, sets, typed
from app.record.session import NOW, Database, Tx
from app.record.tables import installation, instance

GONE = "gone"
Row = TypeVar("Row", InstanceRow, InstallationRow)


@dataclass(frozen=True)
class Effects(Generic[Row]):
    """The effects of one kind."""

    table: Table
    of: type[Row]
    prefix: str  # Of their ids.

    def live(self, tx: Tx, **named: str) -> Row | None:
        """The effect with these column values, unless it is gone."""
        where = (*_named(tx, self.table, named), self.table.c.state != GONE)
        return tx.row(select(self.table).where(*where), of=self.of)

    def read(self, tx: Tx, id_: str) -> Row | None:
        """The effect with this id."""
        return tx.row(select(self.table).where(*_named(tx, self.table, {"id": id_})), of=self.of)

    def begun(self, tx: Tx, lineage: str, operation: str, **named: str) -> int:
        """How many effects an item has had, those that are gone included."""
        where = _named(tx, self.table, {"lineage": lineage, "operation": operation, **named})
        # Effects that are gone count as well: their tokens must not be used again, since a late order may
        # still carry one.
        found: int | None = tx.value(select(func.max(self.table.c.incarnation)).where(*where))
        return found or 0

    def intend(self, tx: Tx, row: Row) -> Row:
        """Insert the row of an effect that is about to be ordered."""
        made = {"id": new_id(self.prefix), "created_at": tx.now, "updated_at": tx.now, **row}
        tx.execute(insert(self.table), {"tenant_id": tx.tenant, **made})
        return cast("Row", made)

    def intend_first(self, db: Database, row: Row, **named: str) -> Row | None:
        """The same in one statement, for an item that never had an effect.

        None, and nothing is written, when it had one or another live effect has the name.
        """
        known: dict[str, Any] = cast("dict[str, Any]", row)
        made: dict[str, Any] = {"id": new_id(self.prefix), **known}
        same: dict[str, object] = {"lineage": known["lineage"], "operation": known["operation"], **named}
        given = placeholders(db.dialect)
        table, cast_ = self.table, db.dialect == "postgresql"
        values = ", ".join(typed(table, name, given, cast=cast_) for name in ("tenant_id", *made))
        begun = " AND ".join(f"{name} = {given()}" for name in ("tenant_id", *same))
        statement = (
            f"INSERT INTO {table.name} (tenant_id, {', '.join(made)}, created_at, updated_at)"
            f" SELECT {values}, {NOW[db.dialect]}, {NOW[db.dialect]}"
            f" WHERE NOT EXISTS (SELECT 1 FROM {table.name} WHERE {begun}) ON CONFLICT DO NOTHING"
        )
        wrote = db.change(statement, (db.tenant, *made.values(), db.tenant, *same.values()))
        return cast("Row", made) if wrote else None

    def note(self, db: Database, id_: str, changes: Row) -> None:
        """Change columns of an effect, in one statement that is a transaction of its own."""
        given = placeholders(db.dialect)
        known: dict[str, Any] = cast("dict[str, Any]", changes)
        statement = (
            f"UPDATE {self.table.name} SET {sets(tuple(known), given)}, updated_at = {NOW[db.dialect]}"
            f" WHERE tenant_id = {given()} AND id = {given()}"
        )
        db.change(statement, (*known.values(), db.tenant, id_))

    def change(self, tx: Tx, id_: str, changes: Row) -> None:
        """Change columns of an effect."""
        where = _named(tx, self.table, {"id": id_})
        tx.execute(update(self.table).where(*where).values(updated_at=tx.now, **changes))


def _named(tx: Tx, table: Table, named: Mapping[str, str]) -> list[ColumnElement[bool]]:
    return [table.c.tenant_id == tx.tenant, *(table.c[name] == value for name, value in named.items())]


INSTANCES = Effects(instance, InstanceRow, "ins")
INSTALLATIONS = Effects(installation, InstallationRow, "inl")
