"""Fixtures for all tests: a clean environment, real servers, fresh databases, both stacks."""

import gc
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest
import redis
import structlog
from hypothesis import HealthCheck, settings

from app import collector
from app.config import ENVIRONMENT_NAMES, OLDER_NAMES
from tests.support.databases import PostgresDatabases, SqliteDatabases
from tests.support.lanes import (
    pytest_addoption,
    pytest_collection_modifyitems,
    pytest_xdist_auto_num_workers,
    pytest_xdist_make_scheduler,
)
from tests.support.servers import KeyValue, Postgres, new_postgres, new_redis, new_valkey, remove
from tests.support.stack import Stack

# Hooks of pytest.
__all__ = [
    "pytest_addoption",
    "pytest_collection_modifyitems",
    "pytest_xdist_auto_num_workers",
    "pytest_xdist_make_scheduler",
]
# How long an example takes, or is looked for, is no finding.
settings.register_profile("windlass", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("windlass")
collector.look_seldom()
# Else tracebacks that are logged are drawn with the lines around them: a third of the time of many tests.
_LINE = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
structlog.configure(processors=[*structlog.get_config()["processors"][:-1], _LINE])
OURS = frozenset({*ENVIRONMENT_NAMES.values(), *OLDER_NAMES.values()})
SQLITE_VALKEY = pytest.param("sqlite+valkey", marks=pytest.mark.sqlite)
# Where a service is started for SQLite alone, which others show by day (docs/tests.rst).
SQLITE_AT_NIGHT = pytest.param("sqlite+valkey", marks=[pytest.mark.sqlite, pytest.mark.nightly])
POSTGRES_REDIS = pytest.param("postgres+redis", marks=pytest.mark.postgres)


def pytest_collection_finish() -> None:
    """What is loaded stays until the end, and the collector need not look at it again."""
    gc.collect()
    gc.freeze()


class Databases(Protocol):
    """Makes fresh, migrated databases of one kind."""

    def fresh(self) -> str:
        """The URL of a new database."""

    def drop(self, url: str) -> None:
        """Delete a database."""


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the developer's shell reaches a test."""
    for name in list(os.environ):
        if name.startswith("WINDLASS_") or name.removesuffix("_FILE") in OURS:
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def own_umask() -> Iterator[None]:
    """A command that ran in this process leaves its umask to no other test."""
    before = os.umask(0o077)
    os.umask(before)
    yield
    os.umask(before)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server for the session; a test that stops it starts it again."""
    server = new_postgres()
    server.start()
    yield server
    remove(server)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[KeyValue]:
    """A Redis server for the session; a test that stops it starts it again."""
    server = new_redis()
    server.start()
    yield server
    remove(server)


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[KeyValue]:
    """A Valkey server for the session; a test that stops it starts it again."""
    server = new_valkey()
    server.start()
    yield server
    remove(server)


@pytest.fixture(scope="session")
def databases(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Databases]:
    """Gives the databases of a kind ("sqlite" or "postgres"); the template of each is made once."""
    made: dict[str, Databases] = {}

    def of(kind: str) -> Databases:
        if kind not in made:
            made[kind] = (
                SqliteDatabases(tmp_path_factory.mktemp("sqlite"))
                if kind == "sqlite"
                else PostgresDatabases(request.getfixturevalue("postgres"))
            )
        return made[kind]

    return of


@dataclass(frozen=True, kw_only=True)
class Backend:
    """A fresh database and an empty Redis or Valkey."""

    name: str  # "sqlite+valkey" or "postgres+redis".
    database_url: str  # With the driver named.
    store: KeyValue  # The Redis or Valkey server.

    @property
    def redis_url(self) -> str:
        """The URL of the Redis or Valkey."""
        return self.store.url

    @property
    def environ(self) -> dict[str, str]:
        """The variables that select this backend."""
        return {"DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url}


@pytest.fixture(params=[SQLITE_VALKEY, POSTGRES_REDIS])
def backend(request: pytest.FixtureRequest, databases: Callable[[str], Databases]) -> Iterator[Backend]:
    """Both stacks, one after the other; `-m sqlite` and `-m postgres` select."""
    kind, _, store = request.param.partition("+")
    server: KeyValue = request.getfixturevalue(f"{store}_server")
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
    url = databases(kind).fresh()
    yield Backend(name=request.param, database_url=url, store=server)
    databases(kind).drop(url)


@pytest.fixture
def stack(backend: Backend, state: Path, tmp_path: Path) -> Iterator[Stack]:
    """The whole service on both stacks, started; on SQLite it keeps a Valkey of its own."""
    embedded = {"DATABASE_URL": backend.database_url}
    environ = embedded if backend.name == "sqlite+valkey" else backend.environ
    started = Stack(state, environ, tmp_path / "up.log")
    try:
        started.start()
        yield started
    finally:
        started.close()


@pytest.fixture
def sqlite_url(databases: Callable[[str], Databases]) -> Iterator[str]:
    """A fresh SQLite database, for tests that need any database."""
    url = databases("sqlite").fresh()
    yield url
    databases("sqlite").drop(url)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    return folder
