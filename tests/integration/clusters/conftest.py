"""The scene of each test, on both databases; the doctor looks at everything when it has ended."""

from collections.abc import Iterator

import pytest

from app.record.runs import doctor
from app.record.session import Database
from tests.integration.engine.conftest import database_of, db, tenant
from tests.support.driver import Driver
from tests.support.managed import Scene

__all__ = ["database_of", "db", "tenant"]


@pytest.fixture
def scene(db: Database) -> Iterator[Scene]:
    """A management cluster in memory and the engine."""
    driver = Driver(db)
    made = Scene(db=db, driver=driver)
    driver.capabilities = made
    yield made
    assert db.read(doctor.findings) == []
