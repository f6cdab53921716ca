"""What tables are made of: columns of few kinds, partial indexes, keys that start with the tenant."""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.ext.compiler import compiles

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)


class JsonText(JSON):
    """JSON kept as the text that was written: the order of keys and every number come back as they were.

    PostgreSQL's JSONB reorders keys and rewrites numbers, and a column of SQLite that is not TEXT makes a
    number of a text that is one (1e16 an integer, 2**70 a float). A function that is called again would then
    see other values than before.
    """

    cache_ok = True


@compiles(JsonText, "sqlite")
def _text_of_sqlite(_type: JsonText, _compiler: Any, **_kw: Any) -> str:
    return "TEXT"


def words(name: str, null: bool = True, **kw: Any) -> Column[Any]:
    """A text."""
    return Column(name, Text, nullable=null, **kw)


def moment(name: str) -> Column[Any]:
    """A point in time: milliseconds since 1970 in UTC."""
    return Column(name, BigInteger)


def number(name: str, default: int = 0) -> Column[Any]:
    """A whole number that is never missing."""
    return Column(name, Integer, nullable=False, server_default=text(str(default)))


def flag(name: str) -> Column[Any]:
    """Yes or no."""
    return Column(name, Boolean, nullable=False, server_default=text("false"))


def json(name: str) -> Column[Any]:
    """Any JSON value, exactly as it was written."""
    return Column(name, JsonText)


def partial(name: str, *columns: Any, where: str, unique: bool = False) -> Index:
    """An index over the rows that a question asks for."""
    clause = text(where)
    return Index(name, *columns, unique=unique, postgresql_where=clause, sqlite_where=clause)


def table(name: str, *items: Any, key: tuple[str, ...], **kw: Any) -> Table:
    """A table whose key starts with the tenant."""
    tenant = Column("tenant_id", Text, nullable=False)
    return Table(name, metadata, tenant, *items, PrimaryKeyConstraint("tenant_id", *key), **kw)
