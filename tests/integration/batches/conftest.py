"""The engine with sandboxes for servers: a batch runs from beginning to end in this process."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.record.batches import doctor as of_batches
from app.record.runs import doctor
from app.record.session import Database
from tests.integration.batches.rig import Rig
from tests.integration.engine.conftest import KINDS, database_of, seen_by, tenant

__all__ = ["database_of", "tenant"]


@pytest.fixture(params=KINDS)
def db(request: pytest.FixtureRequest, database_of: Callable[[str], str], tenant: str) -> Database:
    """A database of its own, without rows of other tests."""
    return seen_by(tenant, database_of(request.param))


@pytest.fixture
def rig(db: Database, tmp_path: Path) -> Iterator[Rig]:
    """The engine and its sandboxes; when the test has ended, the doctor finds nothing."""
    made = Rig(db, tmp_path)
    yield made
    if made.judged:
        assert db.read(doctor.findings) + db.read(of_batches.findings) == []
        assert made.strays() == []
