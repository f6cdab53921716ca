"""A database of each kind for what the services of the apps API write and read."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.record.session import Database


@pytest.fixture
def db(backend: Any) -> Iterator[Database]:
    """A fresh database."""
    made = Database(backend.database_url)
    yield made
    made.dispose()


@pytest.fixture
def postgres_db(postgres: Any, databases: Callable[[str], Any]) -> Iterator[Database]:
    """A fresh database of PostgreSQL."""
    url = databases("postgres").fresh()
    made = Database(url)
    yield made
    made.dispose()
    databases("postgres").drop(url)


@pytest.fixture
def sqlite_db(sqlite_url: str) -> Iterator[Database]:
    """A fresh database of SQLite."""
    made = Database(sqlite_url)
    yield made
    made.dispose()
