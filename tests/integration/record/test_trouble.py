"""Which errors of the database mean "try again", and what the others are told as."""

import errno
import sqlite3
from collections.abc import Iterator
from resource import RLIMIT_NOFILE, getrlimit, setrlimit
from typing import Any

import psycopg
import pytest
from sqlalchemy import select, text

from app.domain.errors import ConnectionRefused, SchemaBehind, Unavailable
from app.record import trouble
from app.record.session import Database, Tx
from app.record.tables import run
from app.services.context import Role
from app.wiring import LIMITS
from tests.conftest import Backend
from tests.support.servers import Postgres, until

AGAIN = ("08000", "08006", "40001", "40P01", "53000", "53100", "53200", "53300", "53400", "55P03")
ENDED_BY_OPERATORS = ("57P01", "57P02", "57P03", "57P05", "25P03")
NEVER = ("08P01", "28000", "28P01", "3D000", "22P02", "42601")


@pytest.fixture
def db(backend: Backend) -> Iterator[Database]:
    database = Database(backend.database_url)
    yield database
    database.dispose()


def error_of(state: str) -> psycopg.Error:
    """An error as the driver raises it for this state."""
    return psycopg.errors.lookup(state)("as the server said")


@pytest.mark.parametrize("state", AGAIN + ENDED_BY_OPERATORS)
def test_what_passes_by_itself_is_tried_again(state: str) -> None:
    assert trouble.is_transient(error_of(state))


@pytest.mark.parametrize("state", NEVER)
def test_what_stays_as_it_is_is_not(state: str) -> None:
    assert not trouble.is_transient(error_of(state))


@pytest.fixture
def impatient(databases: Any, postgres: Postgres) -> Iterator[str]:
    """A database whose server ends sessions that idle."""
    url = databases("postgres").fresh()
    postgres.execute(f"ALTER DATABASE {name_of(url)} SET idle_session_timeout = '100ms'")
    yield url
    databases("postgres").drop(url)


def name_of(url: str) -> str:
    """The name of a database."""
    return url.rpartition("/")[2]


def is_alone(postgres: Postgres, url: str) -> bool:
    """Whether every session of the database has been ended."""
    asked = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name_of(url)}'"
    with psycopg.connect(postgres.url) as connection:
        return connection.execute(asked.encode()).fetchone() == (0,)


@pytest.mark.postgres
def test_sessions_that_the_server_ended_are_replaced(impatient: str, postgres: Postgres) -> None:
    db = Database(impatient)

    for _ in range(3):
        assert db.read(lambda tx: tx.now)
        assert db.once(lambda cursor: cursor.execute("SELECT 1").fetchone()) == (1,)
        until(lambda: is_alone(postgres, impatient), why="the server ends what idles")
    db.dispose()


@pytest.mark.postgres
def test_a_connection_that_was_closed_is_tried_again_whatever_was_said(impatient: str) -> None:
    db = Database(impatient)
    asked = []

    def closed_once(cursor: Any) -> Any:
        asked.append(cursor)
        if len(asked) == 1:
            cursor.connection.close()
            raise error_of("XX000")
        return cursor.execute("SELECT 1").fetchone()

    assert db.once(closed_once) == (1,)
    db.dispose()


@pytest.mark.parametrize("asked_by", ["read", "once"])
def test_a_table_that_is_not_there_is_the_schema_of_another_release(backend: Backend, asked_by: str) -> None:
    db = Database(backend.database_url)
    db.write(lambda tx: tx.execute(text("ALTER TABLE run RENAME TO run_of_another_release")))

    with pytest.raises(SchemaBehind):
        if asked_by == "read":
            db.read(lambda tx: tx.rows(select(run)))
        else:
            db.once(lambda cursor: cursor.execute("SELECT id FROM run"))
    db.dispose()


@pytest.mark.postgres
def test_a_server_that_refuses_is_quoted(postgres: Postgres) -> None:
    nobody = Database(postgres.url.replace("postgresql://postgres@", "postgresql+psycopg://nobody_here@"))

    with pytest.raises(ConnectionRefused, match='role "nobody_here" does not exist') as refused:
        nobody.read(lambda tx: tx.now, patience_s=0)

    assert "nobody_here" not in refused.value.public.message


def test_a_process_without_descriptors_is_told_to_wait(backend: Backend) -> None:
    db = Database(backend.database_url)
    soft, hard = getrlimit(RLIMIT_NOFILE)
    setrlimit(RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(Unavailable, match="limit of open files"):
            db.read(lambda tx: tx.now, patience_s=0)
    finally:
        setrlimit(RLIMIT_NOFILE, (soft, hard))
    assert db.read(lambda tx: tx.now)
    db.dispose()


def test_an_error_of_the_system_that_passes_is_tried_again(db: Database) -> None:
    asked = []

    def without_descriptors_at_first(_tx: Any) -> int:
        asked.append(1)
        if len(asked) == 1:
            raise OSError(errno.EMFILE, "Too many open files")
        return len(asked)

    assert db.read(without_descriptors_at_first) == 2
    assert until(lambda: asked) == [1, 1]


def test_a_full_disk_is_named(db: Database) -> None:
    def fill(tx: Tx) -> None:
        if tx.dialect == "postgresql":
            raise error_of("53100")
        tx.execute(text("PRAGMA max_page_count = 1"))  # Not less than there are.
        tx.execute(text("CREATE TABLE filler AS SELECT randomblob(1000000)"))

    with pytest.raises(Unavailable, match="disk of the database is full"):
        db.write(fill, patience_s=0)


def test_what_may_have_been_committed_is_not_called_unchanged(db: Database) -> None:
    def commit_unheard(_tx: Tx) -> None:
        raise trouble.ConnectionClosed("server closed the connection unexpectedly")

    with pytest.raises(Unavailable, match="may or may not have been made"):
        db.write(commit_unheard, patience_s=0)


def test_a_connection_that_was_lent_while_all_were_closed_is_closed_as_it_comes_back(db: Database) -> None:
    lent: list[Any] = []

    def closing(cursor: Any) -> None:
        lent.append(cursor.connection)
        db.dispose()

    db.once(closing)
    assert db._pool.idle == []
    with pytest.raises((psycopg.OperationalError, sqlite3.ProgrammingError)):
        lent[0].execute("SELECT 1")


@pytest.mark.parametrize("way", ["read", "write", "ask"])
def test_a_connection_that_was_in_use_while_all_were_closed_is_closed_at_its_end(
    db: Database, way: str
) -> None:
    used: list[Any] = []

    def closing(tx: Tx) -> None:
        used.append(tx.connection.connection.driver_connection)
        db.dispose()

    getattr(db, way)(closing)
    with pytest.raises((psycopg.OperationalError, sqlite3.ProgrammingError)):
        used[0].execute("SELECT 1")


@pytest.mark.postgres
@pytest.mark.parametrize(("role", "idle"), [("worker", "10s"), ("cli", "10min")])
def test_who_reads_a_large_record_in_one_state_may_think_about_it(
    postgres: Postgres, role: Role, idle: str
) -> None:
    database = Database(postgres.url, limits=LIMITS[role])
    shown = database.read(lambda tx: tx.value(text("SHOW idle_in_transaction_session_timeout")))
    database.dispose()
    assert shown == idle
