"""Through PgBouncer in transaction mode: what one client sets or prepares never meets another one."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from app.domain.errors import ConnectionRefused, Unavailable
from app.record import migrate
from app.record.session import Database, Limits, Tx
from tests.conftest import Databases
from tests.support.servers import PgBouncer, Postgres, new_pgbouncer, remove

pytestmark = [pytest.mark.postgres, pytest.mark.pgbouncer]
CLIENTS, ROUNDS = 6, 12  # More clients than server connections, each long enough for prepared statements.
OPTIONS_ALLOWED = {"ignore_startup_parameters": "options,extra_float_digits"}


@pytest.fixture(params=[{}, OPTIONS_ALLOWED], ids=["options refused", "options ignored"])
def pooler(request: pytest.FixtureRequest, postgres: Postgres) -> Iterator[PgBouncer]:
    """As it comes, and as it is usually set up for drivers that send options."""
    server = new_pgbouncer(postgres, **request.param)
    server.start()
    yield server
    remove(server)


@pytest.fixture
def url(databases: object, pooler: PgBouncer) -> Iterator[str]:
    """A fresh database, through the pooler."""
    made: Databases = databases("postgres")  # type: ignore[operator]
    direct = made.fresh()
    yield pooler.database(direct.rpartition("/")[2])
    made.drop(direct)


def limits(tx: Tx) -> tuple[str, str]:
    """What the server holds this transaction to."""
    return tx.value(text("SHOW statement_timeout")), tx.value(text("SHOW lock_timeout"))


def doubled(client: Database, number: int) -> int:
    """Asked with a statement that the driver would prepare sooner or later."""
    found = client.once(lambda cursor: cursor.execute("SELECT 2 * $1::int", (number,)).fetchone())
    return int(found[0])


def test_clients_that_take_turns_are_answered_alike(url: str) -> None:
    clients = [Database(url, limits=Limits(statement_ms=1_001 + number)) for number in range(CLIENTS)]

    for _ in range(ROUNDS):
        for number, client in enumerate(clients):
            assert client.read(limits)[0] == f"{1_001 + number}ms"
            assert doubled(client, number) == 2 * number
    for client in clients:
        client.dispose()


def test_a_statement_that_takes_too_long_is_ended(url: str) -> None:
    client = Database(url, limits=Limits(statement_ms=50))

    with pytest.raises(Unavailable, match="time limit"):
        client.read(lambda tx: tx.value(text("SELECT pg_sleep(60)")))
    with pytest.raises(Unavailable, match="time limit"):
        client.once(lambda cursor: cursor.execute("SELECT pg_sleep(60)"))
    assert client.once(lambda cursor: cursor.execute("SELECT 1").fetchone()) == (1,)
    client.dispose()


def test_nothing_is_left_behind_for_the_next_client(url: str) -> None:
    ours, other = Database(url, limits=Limits(statement_ms=777)), Database(url)

    ours.read(limits)
    ours.once(lambda cursor: cursor.execute("SELECT 1"))

    assert other.once(lambda cursor: cursor.execute("SHOW statement_timeout").fetchone()) == ("0",)
    ours.dispose()
    other.dispose()


def test_the_tables_are_made_through_it(pooler: PgBouncer, postgres: Postgres) -> None:
    postgres.execute("CREATE DATABASE through_pooler")

    migrate.upgrade(pooler.database("through_pooler"))

    assert migrate.check(pooler.database("through_pooler")) == []
    postgres.execute("DROP DATABASE through_pooler WITH (FORCE)")


def test_what_the_pooler_refuses_is_said_in_its_words(pooler: PgBouncer) -> None:
    client = Database(pooler.database("no_such_database"))

    with pytest.raises(ConnectionRefused, match="no_such_database"):
        client.read(lambda tx: tx.now, patience_s=0)
    client.dispose()
