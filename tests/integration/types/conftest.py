"""One lab for all tests of a module, and a scene for each, on SQLite; the doctor looks when it has ended."""

from collections.abc import Callable, Iterator

import pytest

from app.lab.kube import Kube
from app.record.runs import doctor
from app.record.session import Database
from tests.integration.engine.conftest import database_of, tenant
from tests.integration.types.killer import Mortal
from tests.support.wired import QUICK, Wired

__all__ = ["database_of", "tenant"]


@pytest.fixture(scope="module")
def lab() -> Iterator[Kube]:
    """A management cluster whose controllers are quick; every test has objects of its own in it."""
    with Kube() as started:
        started.server().clusters.behave(QUICK)
        started.server().vms.behave(QUICK)
        yield started


@pytest.fixture
def scene(lab: Kube, database_of: Callable[[str], str], tenant: str) -> Iterator[Wired]:
    """The engine of one test."""
    db = Database(database_of("sqlite"), tenant)
    driver = Mortal(db)
    made = Wired(db=db, driver=driver, lab=lab)
    driver.capabilities = made
    yield made
    made.suffers()
    assert db.read(doctor.findings) == []
    made.wire.close()
    db.dispose()
