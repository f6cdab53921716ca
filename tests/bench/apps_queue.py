"""Messages of apps from the POST to the handler: one at a time while nothing else goes on, then many at once.

The handler stands in this process and answers at once, so its CPU is not counted.
"""

import asyncio
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from tests.bench.apps_line import HOST, AppsApi, ask, request
from tests.bench.asking import percentiles
from tests.bench.workload import Figure
from tests.support.ports import free_port
from tests.support.servers import until

QUEUE = "__wkf_workflow_workflow//./w//line"
CLIENTS = 8
PATIENCE_S = 120.0
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


class Handler:
    """An app that takes messages, and notes when each one came."""

    def __init__(self) -> None:
        self.port = free_port()
        self.came: list[float] = []

    @contextmanager
    def listening(self) -> Iterator["Handler"]:
        """Take messages in a thread of its own."""
        loop = asyncio.new_event_loop()
        server = loop.run_until_complete(asyncio.start_server(self._take, HOST, self.port))
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(server.close)
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.came.append(time.perf_counter())
            await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split()[0]))
            writer.write(ANSWER)
            await writer.drain()
        writer.close()


def register(api: AppsApi, app: str, handler: Handler) -> None:
    """Register with the apps API where messages go."""
    url = f"http://{HOST}:{handler.port}/flow"
    body = {"podId": "bench", "deploymentVersion": "v1", "endpoints": {"workflow": url}}
    connection = http.client.HTTPConnection(HOST, api.port, timeout=30)
    heads = {"Content-Type": "application/json", **api.headers}
    connection.request("POST", f"/api/v1/apps/{app}/handlers", json.dumps(body), heads)
    answered = connection.getresponse()
    assert answered.status < 300, answered.read()
    connection.close()


def measured(
    api: AppsApi, app: str, handler: Handler, *, alone: int, many: int, cpu: Mapping[str, Callable[[], float]]
) -> list[Figure]:
    """Latency of messages that come alone, then throughput and CPU of many, by who takes it."""
    body = json.dumps({"queueName": QUEUE, "deploymentId": "v1", "message": {"runId": "wrun_1"}}).encode()
    post, took = request(api, f"/api/v1/apps/{app}/queue", body), list[float]()

    def one_by_one() -> Iterator[bytes]:
        for number in range(len(handler.came), len(handler.came) + alone):
            begun = time.perf_counter()
            yield post
            _await(handler, number + 1)
            took.append((handler.came[number] - begun) * 1000)

    def all_at_once(count: int) -> float:
        expected, begun = len(handler.came) + count, time.perf_counter()
        ask(api.port, (iter((post,)) for _ in range(count)), clients=CLIENTS)
        _await(handler, expected)
        return handler.came[-1] - begun

    all_at_once(many // 10)
    ask(api.port, iter((one_by_one(),)), clients=1)
    before = {name: taken() for name, taken in cpu.items()}
    seconds = all_at_once(many)
    spent = {name: (taken() - before[name]) / many * 1000 for name, taken in cpu.items()}
    return [
        *percentiles("delivery", took),
        Figure("messages", many / seconds, "messages/s"),
        Figure("message-cpu", sum(spent.values()), "ms/message"),
        *(Figure(f"message-cpu-{name}", ms, "ms/message") for name, ms in spent.items()),
    ]


def _await(handler: Handler, count: int) -> None:
    until(lambda: len(handler.came) >= count, PATIENCE_S, "all messages are delivered", 0.001)
