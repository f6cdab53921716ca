"""A broker and a worker for each module: real processes, the service's own settings."""

from collections.abc import Iterator

import pytest

from app.config import Settings
from tests.integration.celery.workers import Ears, Publisher, Worker, listening
from tests.servers import KeyValue, new_redis, remove

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
    started = Worker(settings, tmp_path_factory.mktemp("worker"), CARRIER)
    try:
        started.start()
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="module")
def ears(worker: Worker, publisher: Publisher) -> Iterator[Ears]:
    """Hears what the worker says of itself."""
    with listening(publisher.app) as heard:
        yield heard
