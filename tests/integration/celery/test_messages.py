"""What messages, events and queues show: meaningful names, our ids, true keys, and no payload."""

import json
import pickle
import uuid
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from redis import Redis

from app.config import Settings
from chains.messages import LinkMessage
from tests.integration.celery.workers import TYPE, Ears, Publisher, Worker, lengths, said
from tests.support.servers import KeyValue, until

LINK = LinkMessage.TASK


@contextmanager
def busy(worker: Worker, publisher: Publisher) -> Iterator[str]:
    """The worker is in the middle of a run's link."""
    step = f"wait-{uuid.uuid4().hex[:8]}"
    run = publisher.send(step, "ok-tail")
    try:
        worker.noted("link", run)
        yield run
    finally:
        (worker.folder / step).touch()
    worker.noted("link", run, 2)


def message(task: str, body: bytes, content_type: str) -> dict[str, Any]:
    """A message in kombu's form."""
    number = str(uuid.uuid4())
    routing = {"exchange": "", "routing_key": "default"}
    return {
        "body": b64encode(body).decode(),
        "content-encoding": "utf-8" if content_type.endswith("json") else "binary",
        "content-type": content_type,
        "headers": {"lang": "py", "task": task, "id": number, "root_id": number, "group": None},
        "properties": {
            "correlation_id": number,
            "delivery_mode": 2,
            "delivery_info": routing,
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": number,
        },
    }


def queued(broker: KeyValue, settings: Settings) -> dict[str, Any]:
    """The oldest message in the queue."""
    with Redis.from_url(broker.url) as client:
        found: dict[str, Any] = json.loads(str(client.lindex(f"{settings.redis_prefix}default", -1), "utf-8"))
        return found


def test_a_running_link_shows_a_meaningful_name_and_our_id(
    worker: Worker, publisher: Publisher, broker: KeyValue
) -> None:
    with busy(worker, publisher) as run:
        (tasks,) = (publisher.app.control.inspect(timeout=60, limit=1).active() or {}).values()
    (shown,) = tasks
    assert shown["name"].startswith("server.provision/wait-")
    assert shown["id"].startswith(f"{run}.forward.{shown['name'].partition('/')[2]}.1.")


def test_events_carry_the_name_and_our_id(worker: Worker, publisher: Publisher, ears: Ears) -> None:
    run = publisher.send("ok-1", "ok-2")
    for step in ("ok-1", "ok-2"):
        (received,) = until(lambda step=step: ears.like("task-received", f"{run}.forward.{step}.1."))  # type: ignore[misc]
        assert (received["name"], received["args"], received["kwargs"]) == (f"{TYPE}/{step}", "-", "-")


def test_a_message_holds_run_phase_step_and_generation_and_nothing_else(
    worker: Worker, publisher: Publisher, settings: Settings, broker: KeyValue
) -> None:
    with busy(worker, publisher):
        run = publisher.send("ok")
        sent = queued(broker, settings)
    args, kwargs, _embedded = json.loads(b64decode(sent["body"]))
    assert (args, kwargs) == ([run, "forward", "ok", 1], {})
    assert (sent["headers"]["argsrepr"], sent["headers"]["kwargsrepr"]) == ("-", "-")


def test_queues_are_lists_under_the_prefix_and_the_command_line_knows_them(
    worker: Worker, publisher: Publisher, settings: Settings, broker: KeyValue
) -> None:
    with busy(worker, publisher):
        for _ in "abc":
            publisher.send("ok")
        true = lengths(broker, settings.redis_prefix)
        told = json.loads(said(settings, "app.cli", "queue", "list", "-o", "json").stdout)
    assert true["wl:default"] == 3
    assert {one["key"]: one["length"] for one in told if one["length"]} == true


@pytest.mark.parametrize(
    "strange",
    [
        pytest.param(
            message(LINK, pickle.dumps(((), {}, {})), "application/x-python-serialize"),
            id="pickle",
        ),
        pytest.param(message("windlass.unheard", b"[[], {}, {}]", "application/json"), id="unknown task"),
        pytest.param(message(LINK, b"[[1, 2], {}, {}]", "application/json"), id="wrong arguments"),
        pytest.param(message(LINK, b"{not json", "application/json"), id="not JSON"),
    ],
)
def test_a_strange_message_is_dropped_and_the_worker_lives(
    worker: Worker, publisher: Publisher, settings: Settings, broker: KeyValue, strange: dict[str, Any]
) -> None:
    before = worker.main.pid
    with Redis.from_url(broker.url) as client:
        client.lpush(f"{settings.redis_prefix}default", json.dumps(strange))
    worker.noted("link", publisher.send("ok"))
    assert (worker.lives, worker.main.pid) == (True, before)
    assert lengths(broker, settings.redis_prefix) == {}
