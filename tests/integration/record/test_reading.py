"""A reading transaction: whatever others commit meanwhile, it sees one state."""

from sqlalchemy import func, insert, select

from app.record.session import Database, Tx
from app.record.tables import intent
from tests.conftest import Backend


def intents(tx: Tx) -> int:
    """How many are there."""
    return int(tx.value(select(func.count()).select_from(intent)))


def add(tx: Tx) -> None:
    """Another one."""
    tx.execute(
        insert(intent), {"tenant_id": tx.tenant, "operation": "run_1/forward/one", "fence": 1, "at": 1}
    )


def test_it_sees_nothing_of_what_is_committed_after_its_first_look(backend: Backend) -> None:
    db = Database(backend.database_url)

    with db.reading() as tx:
        before = intents(tx)
        db.write(add)
        assert intents(tx) == before

    assert db.read(intents) == before + 1
    db.dispose()


def test_a_writing_transaction_sees_what_the_last_one_has_committed(backend: Backend) -> None:
    db = Database(backend.database_url)
    db.read(intents)

    db.write(add)
    assert db.write(intents) == 1
    db.dispose()
