"""The UDP proxy loses, doubles, delays and reorders datagrams, and stops doing so."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.chaos.faults.udp import STILL, Drift, UdpProxy


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that sends every datagram back."""
    with socket.socket(type=socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            while data := server.recvfrom(2048):
                if data[0] == b"end":
                    return
                server.sendto(*data)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        with socket.socket(type=socket.SOCK_DGRAM) as last:
            last.sendto(b"end", server.getsockname())
        thread.join()


@pytest.fixture
def proxy(echo: int) -> Iterator[UdpProxy]:
    """A proxy before the echo."""
    made = UdpProxy(echo, seed=7).start()
    yield made
    made.close()


def answers(proxy: UdpProxy, count: int) -> list[bytes]:
    """What comes back of so many numbered datagrams, until nothing comes any more."""
    got = []
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(0.3)
        for number in range(count):
            client.sendto(b"%03d" % number, ("127.0.0.1", proxy.port))
        while True:
            try:
                got.append(client.recv(2048))
            except TimeoutError:
                return got


def test_datagrams_pass_in_order(proxy: UdpProxy) -> None:
    assert answers(proxy, 20) == [b"%03d" % number for number in range(20)]


def test_some_are_dropped_until_it_is_over(proxy: UdpProxy) -> None:
    proxy.set(Drift(drop=0.3))
    got = answers(proxy, 50)
    assert len(got) == 50 - proxy.dropped
    assert proxy.dropped > 5
    proxy.set(STILL)
    assert len(answers(proxy, 50)) == 50


def test_some_come_twice(proxy: UdpProxy) -> None:
    proxy.set(Drift(duplicate=0.3))
    assert len(answers(proxy, 50)) >= 50 + proxy.doubled / 2 > 50


def test_some_are_overtaken(proxy: UdpProxy) -> None:
    proxy.set(Drift(reorder=0.3))
    got = answers(proxy, 50)
    assert len(got) == 50
    assert got != sorted(got)


def test_all_are_late(proxy: UdpProxy) -> None:
    proxy.set(Drift(delay_s=0.1))
    began = time.monotonic()
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(2)
        client.sendto(b"late", ("127.0.0.1", proxy.port))
        assert client.recv(16) == b"late"
    assert time.monotonic() - began >= 0.2
