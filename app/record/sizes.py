"""How large the database is: estimates that cost nothing, no counts."""

from typing import Any

from sqlalchemy import text

from app.record.session import Tx

_TABLES = text(
    "SELECT relname AS name, GREATEST(reltuples, 0)::bigint AS rows, pg_total_relation_size(oid) AS bytes"
    " FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
    " ORDER BY bytes DESC, relname"
)
_WHOLE = {
    "postgresql": text("SELECT pg_database_size(current_database())"),
    "sqlite": text("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"),
}


def whole(tx: Tx) -> int:
    """Bytes of the whole database."""
    return int(tx.value(_WHOLE[tx.dialect]))


def tables(tx: Tx) -> list[dict[str, Any]]:
    """Name, rows and bytes of each table, the largest first; rows are the planner's guess. None on SQLite."""
    return tx.rows(_TABLES) if tx.dialect == "postgresql" else []
