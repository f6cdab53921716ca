"""A broker and a worker for each module: real processes, the service's own settings."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.config import Settings
from app.record import migrate
from tests.integration.celery.workers import Ears, Publisher, Worker, listening
from tests.support.servers import KeyValue, new_redis, remove

CARRIER = "tests.integration.celery.carrier"


@pytest.fixture(scope="module")
def broker() -> Iterator[KeyValue]:
    """A Redis that may be killed."""
    server = new_redis()
    server.start()
    yield server
    remove(server)


@pytest.fixture(scope="module")
def settings(broker: KeyValue, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The shipped settings, on this broker."""
    return Settings(redis_url=broker.url, state_dir=str(tmp_path_factory.mktemp("state")))


@pytest.fixture(scope="module")
def publisher(settings: Settings) -> Publisher:
    """Who publishes."""
    return Publisher(settings)


@pytest.fixture(scope="module")
def worker(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """A worker with one pool process, so that messages are handled in their order."""
    with Worker(settings, tmp_path_factory.mktemp("worker"), CARRIER) as started:
        yield started


@pytest.fixture(scope="module")
def ears(worker: Worker, publisher: Publisher) -> Iterator[Ears]:
    """Hears what the worker says of itself."""
    with listening(publisher.app) as heard:
        yield heard


@pytest.fixture
def own_worker(settings: Settings, tmp_path: Path) -> Iterator[Worker]:
    """A worker with the service's own tasks; of runs that are not there it says that they are unknown."""
    alone = replace(settings, redis_prefix=f"{tmp_path.name}:", database_url=f"sqlite:///{tmp_path}/db")
    migrate.upgrade(alone.database)
    with Worker(alone, tmp_path / "worker", "tasks") as started:
        yield started
