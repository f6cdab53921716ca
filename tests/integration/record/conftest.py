"""A database with runs in it, and how to ask what it would do."""

from collections.abc import Iterator

import pytest

from app.record.session import Database
from tests.bench import stored
from tests.conftest import Backend

EXPLAIN = {"postgresql": "EXPLAIN", "sqlite": "EXPLAIN QUERY PLAN"}


@pytest.fixture
def with_runs(backend: Backend) -> Iterator[Database]:
    """Three thousand runs of a year, of which SQLite keeps no statistics."""
    stored.store(backend.database_url, 3_000)
    db = Database(backend.database_url)
    yield db
    db.dispose()
