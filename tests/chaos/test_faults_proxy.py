"""The TCP proxy makes a network bad in each of its ways, and good again."""

import socket
import time
from collections.abc import Iterator

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.chaos.faults.proxy import CLEAR, Proxy, Weather
from tests.support.servers import KeyValue, until

NEVER = Retry(NoBackoff(), 0)


@pytest.fixture
def proxy(redis_server: KeyValue) -> Iterator[Proxy]:
    """A proxy before Redis."""
    made = Proxy(redis_server.port).start()
    yield made
    made.close()


@pytest.fixture
def client(proxy: Proxy) -> Iterator[redis.Redis]:
    """A client behind the proxy that gives up soon and never tries again by itself."""
    made = redis.Redis(port=proxy.port, socket_timeout=0.5, socket_connect_timeout=0.5, retry=NEVER)
    yield made
    made.close()


def test_bytes_pass_unchanged(client: redis.Redis) -> None:
    value = bytes(range(256)) * 4096
    client.set("bytes", value)
    assert client.get("bytes") == value


def test_latency_is_added_each_way_and_ends(proxy: Proxy, client: redis.Redis) -> None:
    client.ping()
    proxy.set(Weather(latency_s=0.1))
    assert seconds(client) >= 0.2
    proxy.set(CLEAR)
    assert min(seconds(client) for _ in range(50)) < 0.1


def test_bandwidth_is_limited(proxy: Proxy, client: redis.Redis) -> None:
    client.set("long", b"x" * 20_000)
    proxy.set(Weather(bytes_per_s=100_000))
    began = time.monotonic()
    client.get("long")
    assert time.monotonic() - began >= 0.2


def test_a_cut_resets_every_connection(proxy: Proxy, client: redis.Redis) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=60) as link:
        link.sendall(b"PING\r\n")
        link.recv(16)
        assert proxy.cut() == 1
        with pytest.raises(ConnectionResetError):
            link.recv(16)
    assert client.ping()


def test_no_server_listens_while_connections_are_refused(proxy: Proxy, client: redis.Redis) -> None:
    proxy.set(Weather(refuse=True))
    with pytest.raises(redis.ConnectionError, match="refused"):
        client.ping()
    proxy.set(CLEAR)
    assert client.ping()


def test_what_was_held_arrives_when_the_partition_heals(proxy: Proxy) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=0.3) as link:
        proxy.set(Weather(hold=True))
        link.sendall(b"PING\r\n")
        with pytest.raises(TimeoutError):
            link.recv(16)
        proxy.set(CLEAR)
        link.settimeout(60)
        assert link.recv(16) == b"+PONG\r\n"


def test_a_half_open_connection_accepts_and_never_answers_again(proxy: Proxy) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=60) as link:
        link.sendall(b"PING\r\n")
        assert link.recv(16) == b"+PONG\r\n"
        link.settimeout(0.3)
        proxy.set(Weather(swallow=True))
        link.sendall(b"PING\r\n")
        with pytest.raises(TimeoutError):
            link.recv(16)
        proxy.set(CLEAR)
        link.sendall(b"PING\r\n")
        with pytest.raises(TimeoutError):
            link.recv(16)


def test_new_connections_work_once_the_half_open_time_is_over(proxy: Proxy, client: redis.Redis) -> None:
    proxy.set(Weather(swallow=True))
    with pytest.raises(redis.TimeoutError):
        client.ping()
    proxy.set(CLEAR)
    assert client.ping()


def test_a_server_learns_of_a_client_that_left_a_half_open_connection(
    proxy: Proxy, client: redis.Redis, redis_server: KeyValue
) -> None:
    with redis.Redis.from_url(redis_server.url) as direct:
        client.ping()
        before = len(direct.client_list())
        proxy.set(Weather(swallow=True))
        client.close()
        assert len(direct.client_list()) == before
        proxy.set(CLEAR)
        until(lambda: len(direct.client_list()) < before, why="the deserted connection is closed")


def test_a_connection_is_reset_in_the_middle_of_an_answer(proxy: Proxy) -> None:
    proxy.set(Weather(reset_after=3))
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=60) as link:
        link.sendall(b"PING\r\n")
        with pytest.raises(ConnectionResetError):
            assert len(link.recv(16)) <= 3
            link.recv(16)


def seconds(client: redis.Redis) -> float:
    """How long a ping takes."""
    began = time.monotonic()
    client.ping()
    return time.monotonic() - began
