"""One conversation with a cloud has an end, however the answer comes."""

import socketserver
from collections.abc import Iterator
from contextlib import suppress
from threading import Event, Thread

import pytest

from app.domain.errors import CloudUnreachable
from app.providers.compute import talk
from app.providers.compute.talk import Talk

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
    monkeypatch.setattr(talk, limit, most)
    with pytest.raises(CloudUnreachable) as lost:
        Talk(dripping).send("GET", "/", attempt="List", orders=False)
    assert lost.value.nothing_happened and "the answer" in lost.value.message
