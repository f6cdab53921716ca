"""Messages are doubled, put aside, lost and replayed on their way into their queue."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import redis

from tests.chaos.fault import POSTGRES, Fault, Setting, faults
from tests.chaos.faults.messages import envelope
from tests.chaos.faults.proxy import Proxy
from tests.chaos.site import Site
from tests.support.servers import until

QUEUE = "wl:default"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site of which only Redis runs, with a proxy before it."""
    made = Site(POSTGRES, tmp_path, setting=Setting(proxied=True))
    made.store.start()
    made.redis = redis.Redis.from_url(made.store.url, socket_timeout=5, decode_responses=True)
    made.proxies["redis"] = Proxy(made.store.port).start()
    yield made
    made.redis.close()
    made.close()


@pytest.fixture
def publisher(site: Site) -> Iterator["Publisher"]:
    """A client that pushes numbered messages all the time."""
    made = Publisher(site)
    made.thread.start()
    yield made
    made.stopped.set()
    made.thread.join()


class Publisher:
    """Pushes through the proxy until it is stopped."""

    def __init__(self, site: Site) -> None:
        self.pushed = 0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._push)
        self._port = site.proxies["redis"].port

    def _push(self) -> None:
        with redis.Redis(port=self._port) as client:
            while not self.stopped.wait(0.002):
                client.lpush(QUEUE, envelope("default", "windlass.link", [self.pushed]))
                self.pushed += 1


def suffer(fault: Fault, site: Site, publisher: Publisher) -> tuple[list[Any], list[Any]]:
    """The queue, oldest message first, before the fault is healed and after it."""
    assert until(lambda: fault.strike(site, Random(3)))
    so_far = publisher.pushed
    until(lambda: publisher.pushed > so_far + 100)
    publisher.stopped.set()
    publisher.thread.join()
    before = site.redis.lrange(QUEUE, 0, -1)[::-1]
    fault.heal(site)
    return before, site.redis.lrange(QUEUE, 0, -1)[::-1]


def test_every_message_comes_at_least_twice(site: Site, publisher: Publisher) -> None:
    fault = faults()["messages-doubled"]
    before, after = suffer(fault, site, publisher)
    assert len(before) > publisher.pushed * 1.5
    assert len(set(after)) == publisher.pushed


@pytest.mark.parametrize("name", ["messages-shuffled", "messages-late"])
def test_messages_that_were_put_aside_come_later(site: Site, publisher: Publisher, name: str) -> None:
    before, after = suffer(faults()[name], site, publisher)
    assert len(set(before)) < publisher.pushed
    assert len(set(after)) == publisher.pushed


def test_some_messages_never_come(site: Site, publisher: Publisher) -> None:
    before, after = suffer(faults()["messages-lost"], site, publisher)
    assert before == after
    assert publisher.pushed * 0.7 < len(after) < publisher.pushed


def test_old_messages_come_again(site: Site, publisher: Publisher) -> None:
    replay = faults()["messages-replayed"]
    assert replay.strike(site, Random(1)) is None  # From now on it listens.
    before, _ = suffer(faults()["messages-lost"], site, publisher)
    site.redis.delete(QUEUE)
    assert until(lambda: replay.strike(site, Random(1)))
    assert set(site.redis.lrange(QUEUE, 0, -1)) & set(before)


def test_forged_messages_are_in_every_queue(site: Site) -> None:
    site.settings = type("Settings", (), {"redis_prefix": "wl:"})()
    assert until(lambda: faults()["messages-forged"].strike(site, Random(1)))
    assert site.redis.llen("wl:default") == site.redis.llen("wl:bmc") > 10
    assert any("windlass.link_v9" in one for one in site.redis.lrange("wl:bmc", 0, -1))
    assert json.loads(envelope("bmc", "x", []))["headers"]["task"] == "x"
