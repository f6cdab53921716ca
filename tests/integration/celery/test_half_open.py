"""A connection to Redis that leads nowhere and looks alive: a worker notices by itself, and works again."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from app.config import Settings
from tests.chaos.faults.proxy import CLEAR, Proxy, Weather
from tests.integration.celery.workers import Publisher, Worker
from tests.support.servers import KeyValue, until

NOTICED_S = 30.0


@pytest.fixture
def way(broker: KeyValue) -> Iterator[Proxy]:
    """The way from the worker to Redis."""
    proxy = Proxy(broker.port).start()
    yield proxy
    proxy.close()


@pytest.fixture
def far_worker(way: Proxy, settings: Settings, tmp_path: Path) -> Iterator[Worker]:
    """A worker with the service's own tasks; of runs that are not there it says that they are unknown."""
    elsewhere = replace(
        settings, redis_url=f"redis://127.0.0.1:{way.port}/0", database_url=f"sqlite:///{tmp_path}/db"
    )
    with Worker(elsewhere, tmp_path / "worker", "tasks") as started:
        yield started


def nobody_waits(broker: KeyValue) -> bool:
    """Whether no client of Redis waits for a message."""
    with Redis.from_url(broker.url) as client:
        return int(client.info("clients")["blocked_clients"]) == 0


def test_a_worker_whose_connection_leads_nowhere_takes_messages_again(
    way: Proxy, broker: KeyValue, far_worker: Worker, publisher: Publisher
) -> None:
    publisher.send("before", run="run_before")
    until(lambda: "run_before" in far_worker.log, why="the first message is taken")
    way.set(Weather(swallow=True))
    until(lambda: nobody_waits(broker), why="Redis has answered, and nobody heard it")
    way.set(CLEAR)
    publisher.send("after", run="run_after")
    until(lambda: "run_after" in far_worker.log, NOTICED_S, "the second message is taken")
