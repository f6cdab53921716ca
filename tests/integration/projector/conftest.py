"""A management cluster in the lab and whoever watches it, on both databases; the doctor looks at the end."""

from collections.abc import Iterator

import pytest

from app.lab.kube import Kube
from app.record.runs import doctor
from app.record.session import Database
from tests.integration.engine.conftest import database_of, db, tenant
from tests.integration.projector.watched import Watched
from tests.support.driver import Driver

__all__ = ["database_of", "db", "tenant"]


@pytest.fixture
def watched(db: Database) -> Iterator[Watched]:
    """One management cluster, with nothing in it."""
    with Kube() as lab:
        driver = Driver(db)
        made = Watched(db=db, lab=lab, driver=driver)
        driver.capabilities = made
        yield made
    assert db.read(doctor.findings) == []
