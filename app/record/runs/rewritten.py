"""Values that a database has rewritten: found by the form of their text, and by the types of columns.

We write JSON without spaces. PostgreSQL's JSONB writes it with them, in an order of its own and with other
numbers; a column of SQLite that is not TEXT makes a number of a text that is one. A run that was recorded
like that may have seen one value on its first pass and another one on a replay.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Text, cast, select
from sqlalchemy import text as sql

from app.domain.run_kind import RunKind
from app.record.session import Tx, dump
from app.record.tables import metadata, run, signal, step
from app.record.tables.columns import JsonText

Row = dict[str, Any]
STORED = {"postgresql": "JSON", "sqlite": "TEXT"}
# One look for all tables: SQLAlchemy's inspection asks for each of them by itself.
COLUMNS = {
    "postgresql": sql(
        "SELECT c.relname AS table_name, a.attname AS column_name,"
        " upper(format_type(a.atttypid, NULL)) AS kind"
        " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
        " WHERE c.relnamespace = to_regnamespace(current_schema()) AND c.relkind IN ('r', 'p')"
        " AND a.attnum > 0 AND NOT a.attisdropped ORDER BY c.relname, a.attnum"
    ),
    "sqlite": sql(
        "SELECT m.name AS table_name, c.name AS column_name, c.type AS kind"
        " FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' ORDER BY m.name, c.cid"
    ),
}
_HOLD_JSON = {
    (table.name, column.name)
    for table in metadata.tables.values()
    for column in table.c
    if isinstance(column.type, JsonText)
}
MOVE = "move its data into a database that windlass db upgrade has made, of a new name"
TODO = (
    "see in windlass run events whether a step was done twice, or for one thing and not for another; "
    "then cancel the run, or start it anew"
)


def columns(tx: Tx) -> Iterator[str]:
    """What is wrong with the columns that hold JSON: those of an earlier build rewrite it."""
    stored = STORED[tx.dialect]
    wrong = [
        f"{one['table_name']}.{one['column_name']}"
        for one in tx.rows(COLUMNS[tx.dialect])
        if (one["table_name"], one["column_name"]) in _HOLD_JSON and one["kind"] != stored
    ]
    if wrong:
        few = ", ".join(wrong[:3]) + (f" and {len(wrong) - 3} more" if len(wrong) > 3 else "")
        yield f"JSON is rewritten when it is stored in {few}: these columns are not {stored}"


def runs(tx: Tx, chosen: Sequence[Row]) -> dict[str, str]:
    """The runs of code workflows that may have seen other values on a replay than before, and why."""
    ids = [row["id"] for row in chosen if row["kind"] == RunKind.CODE]
    found: dict[str, str] = {}
    if ids:
        for run_id, place, text in _texts(tx, ids):
            if run_id not in found and _is_other(text):
                found[run_id] = f"{place} was rewritten by the database: a replay may have seen another value"
    return found


def _texts(tx: Tx, ids: Sequence[str]) -> Iterator[tuple[str, str, str | None]]:
    where = (step.c.tenant_id == tx.tenant, step.c.run_id.in_(ids), step.c.output.is_not(None))
    for row in tx.rows(
        select(step.c.run_id, step.c.key, cast(step.c.output, Text).label("text")).where(*where)
    ):
        yield row["run_id"], f"the result of {row['key']}", row["text"]
    sent = (signal.c.tenant_id == tx.tenant, signal.c.run_id.in_(ids))
    for row in tx.rows(
        select(signal.c.run_id, signal.c.name, cast(signal.c.payload, Text).label("text")).where(*sent)
    ):
        yield row["run_id"], f"the payload of signal {row['name']}", row["text"]
    given = (run.c.tenant_id == tx.tenant, run.c.id.in_(ids))
    for row in tx.rows(select(run.c.id, cast(run.c.input, Text).label("text")).where(*given)):
        yield row["id"], "the input", row["text"]


def _is_other(text: str | None) -> bool:
    """Whether a text is not as we write it, and what it says may have been something else."""
    if text is None or (": " not in text and ", " not in text):
        return False
    value = json.loads(text)
    return text != dump(value) and _may_differ(value)


def _may_differ(value: Any) -> bool:
    if isinstance(value, dict):
        return len(value) > 1 or any(_may_differ(one) for one in value.values())
    if isinstance(value, list):
        return any(_may_differ(one) for one in value)
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) >= 10**15
