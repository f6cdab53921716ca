"""One conversation with a cloud has an end, however the answer comes."""

import socketserver
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Event, Thread

import httpx
import pytest

from app.domain.errors import CloudUnreachable
from app.providers.compute import Access, Compute, Spec, connect, http_client
from app.providers.compute.http_client import HttpClient

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"


@pytest.fixture
def dripping() -> Iterator[str]:
    """The address of somebody who answers with a byte now and then."""
    over = Event()

    class Drip(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65_536)
            self.request.sendall(HEAD)
            with suppress(OSError):
                while not over.wait(0.02):
                    self.request.sendall(b"x")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Drip) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        over.set()
        server.shutdown()


@pytest.mark.parametrize(("limit", "most"), [("WHOLE_S", 0.1), ("LARGEST", 3)])
def test_an_answer_that_never_ends_is_lost(
    dripping: str, monkeypatch: pytest.MonkeyPatch, limit: str, most: float
) -> None:
    monkeypatch.setattr(http_client, limit, most)
    with pytest.raises(CloudUnreachable) as lost:
        HttpClient(dripping).send("GET", "/", attempt="List", orders=False)
    assert lost.value.nothing_happened and "the answer" in lost.value.message


CALLS: dict[str, Callable[[Compute], object]] = {
    "find": lambda cloud: cloud.find(token="t" * 32),
    "look": lambda cloud: cloud.look("i-1"),
    "remove": lambda cloud: cloud.remove("i-1"),
    "create": lambda cloud: cloud.create(Spec(name="a", plan="small", zone="here", batch="b"), "t" * 32),
    "plans": lambda cloud: cloud.plans(),
    "zones": lambda cloud: cloud.zones(),
    "whoami": lambda cloud: cloud.whoami(),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("provider", "content"),
    [("upcloud", b'{"status": "ok"}'), ("upcloud", b'{"server": [], "servers": 1}'), ("aws", b"<status/>")],
)
def test_an_answer_of_somebody_else_says_nothing(
    monkeypatch: pytest.MonkeyPatch, provider: str, content: bytes, call: str
) -> None:
    monkeypatch.setattr(HttpClient, "send", lambda *_asked, **_how: httpx.Response(200, content=content))
    cloud = connect(Access(provider=provider, endpoint="http://127.0.0.1:1"))

    with pytest.raises(CloudUnreachable, match="makes no sense") as lost:
        CALLS[call](cloud)

    assert lost.value.nothing_happened is (call != "create")
