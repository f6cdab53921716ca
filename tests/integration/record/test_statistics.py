"""What the planner knows of a table that grows: it is told whenever there are twice as many rows."""

from collections.abc import Iterator

import pytest
from sqlalchemy import insert, text

from app.record.runs import statistics
from app.record.session import Database, Tx
from app.record.tables import event
from tests.conftest import Backend
from tests.support.servers import until


def grow(tx: Tx, first: int, rows: int) -> None:
    """Events of some run."""
    one = {"tenant_id": tx.tenant, "run_id": "run_1", "type": "run.created", "at": 1}
    tx.execute(insert(event), [{**one, "seq": first + number} for number in range(rows)])


@pytest.fixture
def db(backend: Backend) -> Iterator[Database]:
    """A database in which autovacuum does not analyse the table at a moment of its own."""
    db = Database(backend.database_url)
    if db.dialect == "postgresql":
        db.write(lambda tx: tx.execute(text("ALTER TABLE event SET (autovacuum_enabled = false)")))
    yield db
    db.dispose()


def test_a_table_that_has_doubled_is_analysed_and_then_left_alone(db: Database) -> None:
    for first, rows in ((1, 100), (101, 150)):
        db.write(lambda tx, first=first, rows=rows: grow(tx, first, rows))  # type: ignore[misc]
        if db.dialect == "postgresql":
            until(lambda: "event" in db.read(statistics.outgrown), 30, "the rows are counted")
            statistics.refresh(db)
        assert "event" not in db.read(statistics.outgrown)
