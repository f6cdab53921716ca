"""The service of each test, on both databases, and receivers on real sockets."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from app.config import load
from app.record.runs import doctor
from app.record.session import Database
from app.wiring import wire
from tests.conftest import Databases
from tests.integration.webhooks_flow.receiver import Inbox, inbox
from tests.integration.webhooks_flow.rig import Rig, RigDriver
from tests.support import probes
from tests.support.databases import SqliteDatabases

MEMORY = Path("/dev/shm")
KINDS = (
    pytest.param("sqlite", marks=pytest.mark.sqlite),
    pytest.param("postgres", marks=pytest.mark.postgres),
)
INWARD = {"WINDLASS_WEBHOOK_ALLOW": "127.0.0.1", "WINDLASS_WEBHOOK_ALLOW_HTTP": "true"}
NO_BROKER = "redis://127.0.0.1:1/0"


@pytest.fixture(scope="session")
def database_of(databases: Callable[[str], Databases]) -> Iterator[Callable[[str], str]]:
    """One database of each kind for all tests; each is a tenant of its own in it."""
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        in_memory = SqliteDatabases(Path(folder))
        yield cache(lambda kind: (in_memory if kind == "sqlite" else databases(kind)).fresh())


@pytest.fixture(params=KINDS)
def rig(request: pytest.FixtureRequest, database_of: Callable[[str], str], state: Path) -> Iterator[Rig]:
    """A service that lets webhooks reach this machine; the doctor judges what the test left."""
    probes.reset()
    url = database_of(request.param)
    settings = load(INWARD, database_url=url, state_dir=str(state), redis_url=NO_BROKER)
    db = Database(url, str(request.node.nodeid))
    driver = RigDriver(db)
    yield Rig(world=replace(wire(settings), db=db, publish=driver.publish), driver=driver)
    findings = db.read(doctor.findings)
    db.dispose()
    assert findings == []


@pytest.fixture
def to() -> Iterator[Inbox]:
    """A receiver of webhooks."""
    with inbox() as made:
        yield made
