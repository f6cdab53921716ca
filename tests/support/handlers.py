"""A handler of an app: a real HTTP server that notes requests and answers, or fails, as the test demands."""

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, Mapping[str, str], bytes]
DONE: Answer = (200, {}, b"{}")


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What a handler was sent."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The value of a JSON body."""
        return json.loads(self.body)


@dataclass
class Handler:
    """The server; ``answer`` gives the answer, or None after it has done something else."""

    port: int
    came: list[Delivery] = field(default_factory=list)
    answer: Callable[["Handler", Delivery, BaseHTTPRequestHandler], Answer | None] = lambda *_: DONE
    held: threading.Event = field(default_factory=threading.Event)

    def url(self, name: str) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}/.well-known/{name}?query=1"

    def endpoints(self) -> dict[str, str]:
        """As they are registered."""
        return {name: self.url(name) for name in ("workflow", "step", "webhook")}


@contextmanager
def handling() -> Iterator[Handler]:
    """A handler that serves until the end."""

    class Request(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            heads = {name.lower(): value for name, value in self.headers.items()}
            delivery = Delivery(path=self.path, headers=heads, body=body)
            made.came.append(delivery)
            answer = made.answer(made, delivery, self)
            if answer is None:
                self.close_connection = True
                return
            status, headers, content = answer
            self.send_response(status)
            for name, value in {"content-length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_args: Any) -> None:
            """Say nothing."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_args: Any) -> None:
            """Clients that are gone are what is tested."""

    server = Quiet(("127.0.0.1", 0), Request)
    made = Handler(port=server.server_address[1])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield made
    finally:
        made.held.set()
        server.shutdown()
        server.server_close()


def says(status: int, body: Any = None, **headers: str) -> Callable[..., Answer]:
    """Always this answer, in JSON."""
    raw = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
    return lambda *_: (status, headers, raw)


def hangs(handler: Handler, *_: Any) -> Answer:
    """Answer when the test lets it."""
    handler.held.wait()
    return DONE


def resets(_handler: Handler, _delivery: Delivery, request: BaseHTTPRequestHandler) -> None:
    """Close the connection by RST."""
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.connection.close()


def cuts(_handler: Handler, _delivery: Delivery, request: BaseHTTPRequestHandler) -> None:
    """Promise more than is sent."""
    request.wfile.write(b'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"timeoutSeconds":')
