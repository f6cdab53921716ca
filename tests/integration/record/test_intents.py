"""Intents: what is known of an order that must never be sent twice, however many workers are lost over it."""

from collections.abc import Iterator

import pytest

from app.record import gates
from app.record.session import Database
from tests.conftest import Backend

OPERATION = "run_1/forward/hard-reset"


@pytest.fixture
def db(backend: Backend) -> Iterator[Database]:
    """A database of its own."""
    made = Database(backend.database_url)
    yield made
    made.dispose()


def intended(db: Database, fence: int) -> bool:
    return db.read(lambda tx: gates.intended(tx, OPERATION, fence))


def test_nothing_was_sent_when_nothing_was_intended(db: Database) -> None:
    assert not intended(db, 2)


def test_an_attempt_does_not_see_its_own_intent(db: Database) -> None:
    db.write(lambda tx: gates.intend(tx, OPERATION, 1))
    assert not intended(db, 1)


@pytest.mark.parametrize("fence", [2, 3, 9])
def test_an_intent_is_seen_though_attempts_in_between_were_lost_before_they_looked(
    db: Database, fence: int
) -> None:
    db.write(lambda tx: gates.intend(tx, OPERATION, 1))
    assert intended(db, fence)
