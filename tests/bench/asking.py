"""Requests over HTTP and how long they take: one connection a client, each asks again once it is answered."""

import asyncio
import http.client
import json
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import MappingProxyType
from typing import Any

from tests.bench.processes import Running
from tests.bench.workload import Figure, Wrong
from tests.support.servers import until

HOST = "127.0.0.1"
RUNS, ORDER = "/v1/workflows/runs", b'{"type": "bench.line", "input": {}}'
START_S = 60.0


class Asker:
    """One client on one connection that stays."""

    def __init__(self, port: int, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        self._headers = dict(headers)
        self._connection = http.client.HTTPConnection(HOST, port, timeout=60)

    def get(self, path: str) -> tuple[float, dict[str, Any]]:
        """Milliseconds until the whole answer was there, and the answer; raises `Wrong` unless it is 200."""
        begun = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        took = (time.perf_counter() - begun) * 1000
        if answer.status != 200:
            raise Wrong(f"GET {path}: {answer.status} {text[:500]!r}")
        return took, json.loads(text)

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()


@contextmanager
def answering(server: Running, port: int) -> Iterator[Running]:
    """A server that was just started, once it accepts connections; it is stopped in the end."""
    try:
        until(lambda: _listens(port), START_S, f"port {port} answers")
        yield server
    finally:
        server.stop()


def _listens(port: int) -> bool:
    """Whether a server accepts connections there."""
    with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
        return True
    return False


def post(port: int, path: str, body: bytes, *, clients: int, count: int, expected: int = 202) -> list[float]:
    """Milliseconds of so many POSTs, by that many clients at once; raises `Wrong` for any other status."""
    request = (
        f"POST {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    return asyncio.run(_post(port, request, clients, count, f"HTTP/1.1 {expected} ".encode()))


def percentiles(name: str, milliseconds: Sequence[float]) -> list[Figure]:
    """The median and the 99th percentile by nearest rank."""
    ordered = sorted(milliseconds)
    ranks = {percent: -(-len(ordered) * percent // 100) - 1 for percent in (50, 99)}
    return [Figure(f"{name}-p{percent}", ordered[rank], "ms") for percent, rank in ranks.items()]


async def _post(port: int, request: bytes, clients: int, count: int, expected: bytes) -> list[float]:
    took: list[float] = []
    left = iter(range(count))

    async def client() -> None:
        reader, writer = await asyncio.open_connection(HOST, port)
        for _ in left:
            begun = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(_length(head))
            took.append((time.perf_counter() - begun) * 1000)
            if not head.startswith(expected):
                raise Wrong(f"the answer was {head[:300]!r}")
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return took


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise Wrong(f"an answer without a length: {head!r}")
