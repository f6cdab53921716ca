"""What is done to Redis takes hold, and ends; each on the real servers."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import redis

from tests.chaos.fault import POSTGRES, SQLITE, Setting, faults
from tests.chaos.faults.proxy import Proxy
from tests.chaos.site import Site

AWAY = ("redis-restarted-empty", "redis-restarted", "redis-frozen", "redis-paused")
UNHEARD = ("redis-unreachable", "redis-half-open", "redis-partitioned", "redis-very-slow")
EMPTIED = ("redis-flushed", "redis-restarted-empty")


@pytest.fixture(params=[POSTGRES, SQLITE])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A site of which only Redis or Valkey runs, with a proxy before it."""
    made = Site(request.param, tmp_path, setting=Setting(proxied=True))
    made.store.start()
    made.redis = redis.Redis.from_url(made.store.url, socket_timeout=5, decode_responses=True)
    made.proxies["redis"] = Proxy(made.store.port).start()
    yield made
    made.redis.close()
    made.close()


def answers(port: int) -> bool:
    """Whether a client with half a second of patience may write."""
    never = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
    with redis.Redis(port=port, socket_timeout=0.5, socket_connect_timeout=0.5, retry=never) as client:
        try:
            return bool(client.set("probe", "x" * 100))
        except redis.RedisError:
            return False


@pytest.mark.parametrize("name", [*AWAY, "redis-full", "redis-locked"])
def test_redis_serves_no_client_until_it_is_healed(site: Site, name: str) -> None:
    fault = faults()[name]
    assert fault.strike(site, Random(1)) is not None
    assert not answers(site.store.port)
    fault.heal(site)
    assert site.redis.ping()  # A pause ends by itself, which this waits for.
    assert answers(site.store.port)


@pytest.mark.parametrize("name", UNHEARD)
def test_the_way_to_redis_is_bad_until_it_is_healed(site: Site, name: str) -> None:
    fault = faults()[name]
    assert fault.strike(site, Random(1)) is not None
    assert not answers(site.proxies["redis"].port)
    fault.heal(site)
    assert answers(site.proxies["redis"].port)


@pytest.mark.parametrize("name", EMPTIED)
def test_redis_has_forgotten_everything(site: Site, name: str) -> None:
    site.redis.set("known", "yes")
    fault = faults()[name]
    fault.strike(site, Random(1))
    fault.heal(site)
    assert site.redis.dbsize() == 0


def test_redis_that_was_killed_remembers_what_it_had_written(site: Site) -> None:
    site.redis.set("known", "yes")
    site.redis.waitaof(1, 0, 3_000) if site.backend == SQLITE else site.redis.bgrewriteaof()
    fault = faults()["redis-restarted"]
    fault.strike(site, Random(1))
    fault.heal(site)
    assert site.redis.get("known") == "yes"


def test_every_connection_is_closed(site: Site) -> None:
    with redis.Redis(port=site.store.port) as other:
        other.ping()
        before = {one["id"] for one in site.redis.client_list()}
        assert faults()["redis-clients-killed"].strike(site, Random(1)) is not None
        assert len({one["id"] for one in site.redis.client_list()} & before) == 1
