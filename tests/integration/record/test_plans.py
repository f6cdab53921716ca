"""PostgreSQL plans a statement of the hot path once, and not each time that it is asked."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import text

from app.record.fast_path import branch, ready
from app.record.session import Database
from tests.conftest import Databases

pytestmark = pytest.mark.postgres
ASKED = 8  # psycopg prepares a statement at its 6th time.
PLANNED = "SELECT sum(custom_plans), sum(generic_plans) > 0 FROM pg_prepared_statements"
WAITING = text(
    "INSERT INTO run (tenant_id, id, type, status, triggered_by, on_failure, expect_queue, expect_since,"
    " expect_from) SELECT 'default', 'run_' || n, 'a', 'queued', 'usr_a', 'hold', 'default', n, n"
    " FROM generate_series(1, 999) AS n"
)


@pytest.fixture
def db(databases: Callable[[str], Databases]) -> Iterator[Database]:
    """PostgreSQL with some runs that wait."""
    db = Database(databases("postgres").fresh())
    db.write(lambda tx: tx.execute(WAITING))
    db.write(lambda tx: tx.execute(text("ANALYZE run")))
    yield db
    db.dispose()


@pytest.mark.parametrize(
    "ask",
    [
        lambda db: ready.reserve(db, "default", 4),
        lambda db: branch.reserve(db, "default", 4),
        lambda db: ready.kinds(db, "default"),
    ],
)
def test_what_is_asked_all_day_keeps_its_plan(db: Database, ask: Callable[[Database], object]) -> None:
    for _ in range(ASKED):
        ask(db)
    assert db.once(lambda cursor: cursor.execute(PLANNED).fetchone()) == (0, True)


def test_a_plan_that_is_made_before_the_first_run_looks_at_the_index(
    databases: Callable[[str], Databases],
) -> None:
    db = Database(databases("postgres").fresh())
    asked = "EXPLAIN " + ready._kinds("postgresql")
    shown = db.once(lambda cursor: cursor.execute(asked, ("default", "default", 0) * 2).fetchall())
    db.dispose()
    assert "ix_run_expected" in str(shown) and "ix_step_expected" in str(shown)
