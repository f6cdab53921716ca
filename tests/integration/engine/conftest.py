"""The engine of each test: on both databases, with a tenant of its own, judged by the doctor at the end."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from app.record.runs import doctor
from app.record.session import Database
from tests.conftest import Databases
from tests.support import probes
from tests.support.databases import SqliteDatabases
from tests.support.driver import Driver

MEMORY = Path("/dev/shm")
OPENED: dict[str, Database] = {}

KINDS = (
    pytest.param("sqlite", marks=pytest.mark.sqlite),
    pytest.param("postgresql", marks=pytest.mark.postgres),
)


@pytest.fixture(scope="session")
def database_of(databases: Callable[[str], Databases]) -> Iterator[Callable[[str], str]]:
    """One database of each kind for all tests of the engine; each test is a tenant of its own in it.

    SQLite's is in memory where that is possible: what is tried here is not the speed of a disk.
    """
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        in_memory = SqliteDatabases(Path(folder))
        yield cache(lambda kind: (in_memory if kind == "sqlite" else databases(kind)).fresh())
        while OPENED:
            OPENED.popitem()[1].dispose()


def seen_by(tenant: str, url: str) -> Database:
    """A database as a tenant sees it; all tenants share one engine, which compiles each statement once."""
    return OPENED.setdefault(url, Database(url)).for_tenant(tenant)


@pytest.fixture(params=KINDS)
def db(request: pytest.FixtureRequest, database_of: Callable[[str], str], tenant: str) -> Database:
    """A database of its own, without rows of other tests."""
    return seen_by(tenant, database_of(request.param))


@pytest.fixture
def tenant(request: pytest.FixtureRequest) -> str:
    """The tenant of this test."""
    return str(request.node.nodeid)


@pytest.fixture
def driver(db: Database) -> Iterator[Driver]:
    """The engine; when the test has ended, the doctor finds nothing, unless the test planted it."""
    probes.reset()
    driven = Driver(db)
    yield driven
    if driven.judged:
        assert db.read(doctor.findings) == []
