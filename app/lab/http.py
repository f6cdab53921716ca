"""A small HTTP/1.1 server over asyncio streams: enough for Redfish, Kubernetes and the control API."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from app.domain.errors import PayloadTooLarge, ValidationFailed, WindlassError

_IDLE = 60.0  # seconds that a connection may be silent
_LARGEST_BODY = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request; ``connection`` is a place for facts that live as long as the connection."""

    method: str
    path: str  # decoded, without a trailing slash
    query: dict[str, str]
    headers: dict[str, str]  # by lower-case name
    body: bytes
    port: int  # source port
    connection: dict[str, object]
    gone: Callable[[], bool]  # whether the client has hung up

    def json(self) -> object:
        """The body as JSON, an empty object when there is none; raises `ValidationFailed`."""
        try:
            return json.loads(self.body or b"{}")
        except ValueError as error:
            raise ValidationFailed(f"The body is not JSON: {error}.") from error

    def json_object(self) -> dict[str, Any]:
        """The body as a JSON object; raises `ValidationFailed` when it is something else."""
        body = self.json()
        if not isinstance(body, dict):
            raise ValidationFailed("The body must be a JSON object.")
        return body


@dataclass(frozen=True, kw_only=True)
class Response:
    """One answer; a body of bytes goes out as it is, everything else as JSON, none as no content."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: str = ""  # length or chunk: how the answer ends early; the connection is cut then.

    def encode(self) -> bytes:
        """Head and body in one piece, so that they leave in one packet."""
        raw = self.body if isinstance(self.body, bytes) else b""
        if self.body is not None and not isinstance(self.body, bytes):
            raw = json.dumps(self.body).encode()
        headers = {"Content-Length": str(len(raw)), **self.headers}
        if self.cut == "length":
            headers["Content-Length"] = str(len(raw) + 1000)
        elif self.cut == "chunk":
            del headers["Content-Length"]
            headers["Transfer-Encoding"] = "chunked"
            raw = b"%x\r\n" % len(raw) + raw[:40]
        if raw:
            headers.setdefault("Content-Type", "application/json")
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + raw


@dataclass(frozen=True, kw_only=True)
class Stream:
    """An answer that goes out piece by piece; a source that raises `OSError` cuts the connection."""

    pieces: AsyncIterator[bytes]
    headers: dict[str, str] = field(default_factory=dict)

    async def send(self, writer: asyncio.StreamWriter) -> None:
        """Each piece as one chunk, no faster than the client reads."""
        headers = {"Transfer-Encoding": "chunked", **self.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode("latin-1"))
        async for piece in self.pieces:
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()


def as_error(error: WindlassError) -> Response:
    """An error as Windlass's own API would say it."""
    return Response(
        status=getattr(error, "status", 500),
        body={"error": {"code": error.code, "message": error.message, "details": error.details}},
    )


Handler = Callable[[Request], Awaitable[Response | Stream | None]]


class HttpServer:
    """Serves one handler on one port; a handler that answers nothing cuts the connection."""

    def __init__(self, handler: Handler, on_error: Callable[[WindlassError], Response]) -> None:
        self._handler = handler
        self._on_error = on_error
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        """Listen on 127.0.0.1; port 0 takes any free one. Raises `OSError` when the port is taken."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, ssl=tls, backlog=256)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Cut every connection; new ones are taken."""
        for task in self._connections:
            task.cancel()

    async def stop(self) -> None:
        """Close the port and cut every connection."""
        if self._server:
            self._server.close()
        tasks = list(self._connections)
        self.cut()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast(asyncio.Task[None], asyncio.current_task())
        self._connections.add(task)
        connection: dict[str, object] = {}
        try:
            while await self._exchange(reader, writer, connection):
                pass
        except (OSError, EOFError, TimeoutError, ValueError, asyncio.LimitOverrunError):
            pass  # The client has disconnected, is silent or does not speak HTTP: no answer is possible.
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            await _closed(writer)
            self._connections.discard(task)

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: dict[str, object]
    ) -> bool:
        try:
            request = await _read(reader, writer.get_extra_info("peername")[1], connection)
            answer = await self._handler(request)
        except PayloadTooLarge as error:
            writer.write(self._on_error(error).encode())
            return False
        except WindlassError as error:
            answer = self._on_error(error)
        if answer is None:
            return False
        if isinstance(answer, Stream):
            await answer.send(writer)
            return True
        last = request.headers.get("connection", "").lower() == "close"
        # Without this header a client would send its next request on a connection that is being closed.
        told = {**answer.headers, "Connection": "close"} if last else answer.headers
        writer.write(replace(answer, headers=told).encode())
        await writer.drain()
        return not last and not answer.cut


async def _read(reader: asyncio.StreamReader, port: int, connection: dict[str, object]) -> Request:
    """The next request; raises `EOFError` when there is none and `ValueError` when it is not HTTP."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _IDLE)
    line, *rest = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    pairs = (one.partition(":") for one in rest)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    length = int(headers.get("content-length", "0"))
    if length > _LARGEST_BODY:
        raise PayloadTooLarge
    body = await asyncio.wait_for(reader.readexactly(length), _IDLE)
    method, target, _ = line.split(" ", 2)
    parts = urlsplit(target)
    return Request(
        method=method,
        path=unquote(parts.path).rstrip("/") or "/",
        query=dict(parse_qsl(parts.query)),
        headers=headers,
        body=body,
        port=port,
        connection=connection,
        gone=reader.at_eof,
    )


async def _closed(writer: asyncio.StreamWriter) -> None:
    """Close the connection as TLS requires, unless the client has gone or the server stops."""
    writer.close()
    try:
        await writer.wait_closed()
    except (OSError, asyncio.CancelledError):
        writer.transport.abort()
