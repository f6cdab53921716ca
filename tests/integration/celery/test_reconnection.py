"""What a worker was told, and what it owes its watchers, outlives the connection to Redis."""

import pytest
from redis import Redis

from app.auth.keys import LOCAL
from app.services import workers
from app.wiring import wire
from tests.integration.celery.workers import Publisher, Worker, listening
from tests.support.servers import KeyValue, until


def reconnect(broker: KeyValue, worker: Worker) -> None:
    """Cut every connection to Redis while the worker waits for a message; returns once it has another one."""
    before = worker.log.count("Connected to ")
    with Redis.from_url(broker.url) as client:
        until(lambda: client.info("clients")["blocked_clients"], why="the worker waits for a message")
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    until(lambda: worker.log.count("Connected to ") > before, 20, "the worker is connected again")


def send(worker: Worker, run: str, queue: str = "default") -> None:
    """Publish on a connection of its own."""
    Publisher(worker.settings).send("first", run=run, queue=queue)


def test_a_queue_that_was_cancelled_and_added_again_is_served_after_a_reconnection(
    broker: KeyValue, own_worker: Worker
) -> None:
    control = Publisher(own_worker.settings).app.control
    control.cancel_consumer("default")
    until(lambda: "Canceling queue default" in own_worker.log, why="the queue is served no longer")
    control.add_consumer("default")
    until(lambda: "Started consuming from default" in own_worker.log, why="the queue is served again")
    reconnect(broker, own_worker)
    send(own_worker, "run_added")
    until(lambda: "run_added" in own_worker.log, 20, "the message is taken")


def test_a_queue_that_was_cancelled_is_not_served_after_a_reconnection(
    broker: KeyValue, own_worker: Worker
) -> None:
    Publisher(own_worker.settings).app.control.cancel_consumer("default")
    until(lambda: "Canceling queue default" in own_worker.log, why="the queue is served no longer")
    reconnect(broker, own_worker)
    send(own_worker, "run_cancelled")
    send(own_worker, "run_elsewhere", queue="bmc")
    until(lambda: "run_elsewhere" in own_worker.log, 20, "the other queue's message is taken")
    assert "run_cancelled" not in own_worker.log


@pytest.mark.nightly  # A pool hears of it at its next beat, up to ten seconds later.
def test_a_drained_pool_takes_nothing_until_it_is_resumed(broker: KeyValue, own_worker: Worker) -> None:
    world = wire(own_worker.settings)
    until(lambda: world.db.read(workers.working), why="the pool is heard of")
    name = world.db.read(workers.working)[0]["name"]
    workers.drain(world, LOCAL, name)
    until(lambda: "Canceling queue bmc" in own_worker.log, 20, "no queue is served")
    send(own_worker, "run_waits")
    workers.resume(world, LOCAL, name)
    assert "run_waits" not in own_worker.log
    until(lambda: "run_waits" in own_worker.log, 20, "the message is taken once more")
    world.db.dispose()


def test_events_are_sent_after_a_reconnection(broker: KeyValue, own_worker: Worker) -> None:
    for number in range(3):
        send(own_worker, f"run_before_{number}")
        reconnect(broker, own_worker)
    with listening(Publisher(own_worker.settings).app) as ears:
        send(own_worker, "run_after")
        until(lambda: any(one["type"] == "task-received" for one in ears.heard), 20, "the event is heard")
