"""Intents: what is known of an order that must never be sent twice, however many workers are lost over it."""

import threading
from collections.abc import Iterator

import pytest

from app.domain.rows.runs import StepRow
from app.record.inventory import gates
from app.record.runs import runs
from app.record.session import Database, Tx
from tests.conftest import Backend

RUN, PHASE, KEY = "run_1", "forward", "hard-reset"
OPERATION = f"{RUN}/{PHASE}/{KEY}"
STEP: StepRow = {
    "run_id": RUN,
    "phase": PHASE,
    "key": KEY,
    "ordinal": 1,
    "name": "server.hard_reset",
    "kind": "task",
}


@pytest.fixture
def db(backend: Backend) -> Iterator[Database]:
    """A database of its own, in which the first attempt of the step runs."""
    made = Database(backend.database_url)
    first: StepRow = {**STEP, "queue": "bmc", "status": "running", "timeout_ms": 1, "fence": 1}
    made.write(lambda tx: runs.insert_steps(tx, [first]))
    yield made
    made.dispose()


def intend(db: Database, fence: int) -> bool:
    return db.write(lambda tx: gates.intend(tx, OPERATION, fence))


def intended(db: Database, fence: int) -> bool:
    return db.read(lambda tx: gates.intended(tx, OPERATION, fence))


def claim(db: Database, fence: int) -> None:
    """Another worker takes the step."""
    db.write(lambda tx: runs.change_step(tx, RUN, PHASE, KEY, {"status": "running", "fence": fence}))


def test_nothing_was_sent_when_nothing_was_intended(db: Database) -> None:
    assert not intended(db, 2)


def test_an_attempt_does_not_see_its_own_intent(db: Database) -> None:
    assert intend(db, 1)
    assert not intended(db, 1)


def test_an_intent_whose_answer_was_lost_may_be_repeated(db: Database) -> None:
    assert intend(db, 1)
    assert intend(db, 1)


@pytest.mark.parametrize("fence", [2, 3, 9])
def test_an_intent_is_seen_though_attempts_in_between_were_lost_before_they_looked(
    db: Database, fence: int
) -> None:
    intend(db, 1)
    assert intended(db, fence)


def test_a_worker_that_was_away_sends_nothing_once_another_has_the_step(db: Database) -> None:
    claim(db, 2)
    assert not intend(db, 1)
    assert intend(db, 2)


def test_a_worker_that_was_away_sends_nothing_once_its_attempt_counts_as_lost(db: Database) -> None:
    db.write(lambda tx: runs.change_step(tx, RUN, PHASE, KEY, {"status": "pending"}))
    assert not intend(db, 1)
    assert not intended(db, 2)


def test_an_intent_of_which_nothing_came_is_forgotten(db: Database) -> None:
    intend(db, 1)
    db.write(lambda tx: gates.withdraw(tx, OPERATION))
    assert not intended(db, 2)


def test_whoever_claims_the_step_waits_for_an_intent_and_sees_it(db: Database) -> None:
    seen: list[bool] = []

    def claim_and_look() -> None:
        claim(db, 2)
        seen.append(intended(db, 2))

    claims = threading.Thread(target=claim_and_look)

    def slowly(tx: Tx) -> None:
        gates.intend(tx, OPERATION, 1)
        claims.start()
        claims.join(0.3)
        assert claims.is_alive()

    db.write(slowly)
    claims.join()
    assert seen == [True]
