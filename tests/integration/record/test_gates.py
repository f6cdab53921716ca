"""Gates of controllers: one run at a time has a session, and nobody waits for a worker that was lost."""

from collections.abc import Iterator

import pytest

from app.domain.rows.runs import StepRow
from app.record.inventory import gates
from app.record.runs import runs
from app.record.session import Database
from tests.conftest import Backend

SERVER, FIRST, SECOND = "srv_1", "run_1", "run_2"
STEP: StepRow = {"phase": "forward", "key": "power", "ordinal": 1, "name": "server.power", "kind": "task"}


@pytest.fixture
def db(backend: Backend) -> Iterator[Database]:
    """A database in which two runs have a step that runs."""
    made = Database(backend.database_url)
    running: StepRow = {**STEP, "queue": "bmc", "status": "running", "timeout_ms": 1}
    made.write(lambda tx: runs.insert_steps(tx, [{**running, "run_id": one} for one in (FIRST, SECOND)]))
    yield made
    made.dispose()


def enter(db: Database, run_id: str, hold_ms: int = 60_000) -> bool:
    return db.write(lambda tx: gates.enter(tx, SERVER, run_id, hold_ms))


def leave(db: Database, run_id: str) -> None:
    db.write(lambda tx: gates.leave(tx, SERVER, run_id, refused=False, limit=3, window_ms=1))


def test_one_run_at_a_time_is_let_in(db: Database) -> None:
    assert enter(db, FIRST)
    assert not enter(db, SECOND)
    assert enter(db, FIRST)


def test_whoever_leaves_lets_the_next_one_in(db: Database) -> None:
    enter(db, FIRST)
    leave(db, FIRST)
    assert enter(db, SECOND)


def test_a_gate_is_left_by_its_holder_alone(db: Database) -> None:
    enter(db, FIRST)
    leave(db, SECOND)
    assert not enter(db, SECOND)


@pytest.mark.parametrize("status", ["pending", "failed", "completed"])
def test_nobody_waits_for_a_run_whose_worker_was_lost(db: Database, status: str) -> None:
    enter(db, FIRST)
    db.write(lambda tx: runs.change_step(tx, FIRST, "forward", "power", {"status": status}))
    assert enter(db, SECOND)


def test_nobody_waits_for_a_session_that_is_too_long(db: Database) -> None:
    enter(db, FIRST, hold_ms=-1)
    assert enter(db, SECOND)
