"""What is done to a database takes hold, and ends; what was committed before is there afterwards."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from random import Random

import psycopg
import pytest

from app.record.session import Database
from tests.chaos.fault import POSTGRES, SQLITE, Setting, faults
from tests.chaos.faults import sqlite
from tests.chaos.faults.apart import DatabaseProxy
from tests.chaos.faults.disk import SmallDisk
from tests.chaos.site import Site
from tests.support.servers import absent, new_postgres

AWAY = ("database-stopped", "database-stalled", "log-disk-full")
UNHEARD = ("database-unreachable", "database-partitioned")
INSERT = "INSERT INTO event VALUES ('committed')"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site of which only PostgreSQL runs, with a proxy before it and tables of one column."""
    made = Site(POSTGRES, tmp_path, setting=Setting(proxied=True))
    made.postgres = new_postgres()
    made.postgres.start()
    made.postgres.execute("CREATE DATABASE windlass")
    made.proxies["database"] = DatabaseProxy(made.postgres.port).start()
    with direct(made) as connection:
        connection.execute(
            "CREATE TABLE event (what text); CREATE TABLE run (x int); CREATE TABLE step (x int)"
        )
        connection.execute(INSERT)
    yield made
    made.close()


def direct(site: Site, *, proxied: bool = False, timeout: int = 2) -> psycopg.Connection:
    """A connection with two seconds of patience, each statement a transaction."""
    assert site.postgres is not None
    url = site.postgres.database("windlass")
    if proxied:
        url = url.replace(str(site.postgres.port), str(site.proxies["database"].port))
    options = "-c lock_timeout=500 -c statement_timeout=1500"
    return psycopg.connect(url, autocommit=True, connect_timeout=timeout, options=options)


def answers(site: Site, statement: str = "SELECT * FROM event, run, step", *, proxied: bool = False) -> bool:
    """Whether a statement can be run."""
    try:
        with direct(site, proxied=proxied) as connection:
            connection.execute(statement.encode())
    except psycopg.Error:
        return False
    return True


def committed(site: Site) -> int:
    """How many rows are there."""
    with direct(site) as connection:
        found = connection.execute("SELECT count(*) FROM event").fetchone()
    assert found is not None
    return int(found[0])


def root_alone(name: str, tmp_path: Path) -> None:
    """Small disks take root."""
    if "full" in name:
        disk = SmallDisk(tmp_path / "probe")
        if not disk.mount(1):
            absent("a small disk can be mounted by root alone")
        disk.unmount()


@pytest.mark.parametrize("name", AWAY)
def test_postgres_serves_no_client_until_it_is_healed(site: Site, tmp_path: Path, name: str) -> None:
    root_alone(name, tmp_path)
    fault = faults()[name]
    assert fault.strike(site, Random(1)) is not None
    assert not answers(site)
    fault.heal(site)
    assert answers(site)
    assert committed(site) == 1


def test_only_the_full_table_refuses_writes(site: Site, tmp_path: Path) -> None:
    root_alone("table-disk-full", tmp_path)
    fault = faults()["table-disk-full"]
    assert fault.strike(site, Random(1)) is not None
    more = "INSERT INTO event SELECT repeat('x', 1000) FROM generate_series(1, 1000)"
    assert not answers(site, more)
    assert answers(site, "INSERT INTO run VALUES (1)")
    fault.heal(site)
    assert answers(site, more)
    assert committed(site) == 1_001


@pytest.mark.parametrize("name", UNHEARD)
def test_the_way_to_postgres_is_bad_until_it_is_healed(site: Site, name: str) -> None:
    fault = faults()[name]
    assert fault.strike(site, Random(1)) is not None
    assert not answers(site, proxied=True)
    assert answers(site)
    fault.heal(site)
    assert answers(site, proxied=True)


def test_a_table_is_locked_until_it_is_let_go(site: Site) -> None:
    fault = faults()["table-locked"]
    assert fault.strike(site, Random(1)) is not None
    assert not answers(site)
    fault.heal(site)
    assert answers(site)


def test_some_sessions_end(site: Site) -> None:
    with direct(site) as one, direct(site) as other:
        assert faults()["sessions-terminated"].strike(site, Random(1)) is not None
        ended = [link for link in (one, other) if not alive(link)]
    assert len(ended) == 1


def alive(link: psycopg.Connection) -> bool:
    """Whether a session still answers."""
    try:
        link.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[Site]:
    """A site of which only the database file is there."""
    made = Site(SQLITE, tmp_path)
    made.db = Database(f"sqlite:///{tmp_path / 'windlass.db'}")
    with sqlite3.connect(sqlite.path(made)) as link:
        link.execute("PRAGMA journal_mode=WAL")
        link.execute("CREATE TABLE step (status, output)")
        link.execute("INSERT INTO step VALUES ('running', 1)")
    link.close()
    yield made
    made.db.dispose()


def write(site: Site) -> bool:
    """Whether the write lock can be had within a tenth of a second."""
    link = sqlite3.connect(sqlite.path(site), timeout=0.1, isolation_level=None)
    try:
        link.execute("BEGIN IMMEDIATE")
        link.execute("ROLLBACK")
    except sqlite3.OperationalError:
        return False
    finally:
        link.close()
    return True


@pytest.mark.parametrize("name", ["database-held", "database-locked"])
def test_sqlite_is_locked_until_it_is_let_go(on_sqlite: Site, name: str) -> None:
    fault = faults()[name]
    assert fault.strike(on_sqlite, Random(1)) is not None
    assert not all(write(on_sqlite) for _ in range(20))
    fault.heal(on_sqlite)
    assert write(on_sqlite)


def test_nothing_of_a_killed_writer_is_left(on_sqlite: Site) -> None:
    assert faults()["writer-killed"].strike(on_sqlite, Random(1)) is not None
    assert (Path(sqlite.path(on_sqlite) + "-wal")).stat().st_size > 500_000  # It had written a lot.
    link = sqlite3.connect(sqlite.path(on_sqlite))
    assert link.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert link.execute("SELECT status FROM step").fetchall() == [("running",)]
    link.close()
