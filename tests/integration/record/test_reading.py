"""A reading transaction: whatever others commit meanwhile, it sees one state."""

from sqlalchemy import func, select

from app.record import gates
from app.record.session import Database, Tx
from app.record.tables import intent
from tests.conftest import Backend


def intents(tx: Tx) -> int:
    """How many are there."""
    return int(tx.value(select(func.count()).select_from(intent)))


def test_it_sees_nothing_of_what_is_committed_after_its_first_look(backend: Backend) -> None:
    db = Database(backend.database_url)

    with db.reading() as tx:
        before = intents(tx)
        db.write(lambda other: gates.intend(other, "run_1/forward/one", 1))
        assert intents(tx) == before

    assert db.read(intents) == before + 1
    db.dispose()


def test_a_writing_transaction_sees_what_the_last_one_has_committed(backend: Backend) -> None:
    db = Database(backend.database_url)
    db.read(intents)

    db.write(lambda tx: gates.intend(tx, "run_1/forward/one", 1))
    assert db.write(intents) == 1
    db.dispose()
