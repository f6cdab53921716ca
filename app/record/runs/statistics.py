"""What PostgreSQL knows of the tables that grow fastest.

Every index begins with the tenant. As long as a table was never analysed they all look alike to the planner,
and it may go through all runs for one that an index names. Autovacuum comes a minute after a table has grown,
which is long in a young installation, and after a burst. So a table is analysed whenever it has doubled.
"""

from functools import partial

from sqlalchemy import text

from app.record.session import Database, Tx
from app.record.tables import app_event, app_message, app_run, app_step, event, run, step

GROWING = tuple(table.name for table in (run, step, event, app_run, app_step, app_event, app_message))
LEAST_ROWS = 32
_OUTGROWN = text(
    "SELECT known.relname FROM pg_class AS known JOIN pg_stat_user_tables AS now ON now.relid = known.oid"
    " WHERE known.relname = ANY(:names) AND pg_table_is_visible(known.oid)"
    " AND now.n_live_tup >= :least AND now.n_live_tup > 2 * known.reltuples"
)


def outgrown(tx: Tx) -> list[str]:
    """The tables that have twice as many rows as the planner believes; none on SQLite."""
    if tx.dialect != "postgresql":
        return []
    return [row["relname"] for row in tx.rows(_OUTGROWN, {"names": list(GROWING), "least": LEAST_ROWS})]


def refresh(db: Database) -> None:
    """Let PostgreSQL look at the tables that have outgrown what it knows; who is at it already goes on."""
    for name in db.read(outgrown):
        statement = text(f"ANALYZE (SKIP_LOCKED) {name}")
        db.write(partial(Tx.execute, statement=statement), patience_s=0)
