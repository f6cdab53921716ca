"""A copy of a database says what the original says, on the same and on the other kind of database."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Text, cast, insert, select

from app.domain.errors import Conflict
from app.record import copying, tables
from app.record.runs import runs
from app.record.session import Database
from tests.conftest import Databases

# A copy that parsed and wrote this anew would change the number and the order.
INPUT = {"z": 1, "a": [1e16, "ä", None], "n": {"x": True}}
KINDS = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=KINDS)
def source(request: pytest.FixtureRequest, databases: Callable[[str], Databases]) -> Iterator[Database]:
    """A database with a run, its tags and an event."""
    db = Database(databases(request.param).fresh())
    run: Any = {"id": "run_1", "type": "probe", "status": "running", "triggered_by": "usr_x"}
    event = {"tenant_id": db.tenant, "run_id": "run_1", "seq": 1, "type": "run.created", "at": 5}
    run |= {"on_failure": "hold", "created_at": 5, "eta_ms": 1, "input": INPUT}
    db.write(lambda tx: runs.insert_run(tx, run))
    db.write(lambda tx: tx.execute(insert(tables.event), [{**event, "payload": INPUT}]))
    yield db
    db.dispose()


@pytest.fixture(params=KINDS)
def target(request: pytest.FixtureRequest, databases: Callable[[str], Databases]) -> Iterator[Database]:
    """An empty database."""
    db = Database(databases(request.param).fresh())
    yield db
    db.dispose()


def test_a_copy_has_the_same_rows(source: Database, target: Database) -> None:
    copied = copying.copy(source, target)

    assert (copied["run"], copied["event"]) == (1, 1)
    assert copying.counted(target) == copying.counted(source)
    assert target.read(lambda tx: runs.read_run(tx, "run_1")) == source.read(
        lambda tx: runs.read_run(tx, "run_1")
    )


def test_what_is_kept_as_text_is_copied_letter_by_letter(source: Database, target: Database) -> None:
    copying.copy(source, target)

    read = select(cast(tables.event.c.payload, Text))
    assert target.read(lambda tx: tx.value(read)) == source.read(lambda tx: tx.value(read))


def test_a_database_that_has_rows_is_left_alone(source: Database) -> None:
    with pytest.raises(Conflict, match="has rows already"):
        copying.copy(source, source)
