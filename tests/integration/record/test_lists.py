"""How the database finds the runs of a list: by the index of the rarest thing that was asked for."""

from collections.abc import Iterator

import pytest
from sqlalchemy import event

from app.record.paging import Window
from app.record.runlist import RunFilters, list_runs
from app.record.session import Database, Tx
from tests.bench import stored
from tests.conftest import Backend


@pytest.fixture
def a_year(backend: Backend) -> Iterator[Database]:
    """Three thousand runs, of which SQLite keeps no statistics."""
    stored.store(backend.database_url, 3_000)
    db = Database(backend.database_url)
    yield db
    db.dispose()


def test_the_runs_of_a_resource_are_found_by_its_index_whatever_their_status_is(a_year: Database) -> None:
    filters = RunFilters(resource_id=stored.resource(42), status="failed")

    plans = a_year.read(lambda tx: _plans(tx, filters))

    assert plans and all("ix_run_resource" in plan for plan in plans), plans
    assert not any("ix_run_status" in plan for plan in plans), plans


def _plans(tx: Tx, filters: RunFilters) -> list[str]:
    """How each query of the list is done, as the database says."""
    asked = []
    with_values = (tx.connection, "before_cursor_execute", lambda *args: asked.append(args[2:4]))
    event.listen(*with_values)
    list_runs(tx, filters, Window())
    event.remove(*with_values)
    explain = {"postgresql": "EXPLAIN", "sqlite": "EXPLAIN QUERY PLAN"}[tx.dialect]
    plans = []
    for statement, values in asked:
        if statement.startswith("SELECT") and "resource_id =" in statement:
            lines = tx.connection.exec_driver_sql(f"{explain} {statement}", values)
            plans.append("\n".join(str(line[-1]) for line in lines))
    return plans
