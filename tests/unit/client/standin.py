"""A small HTTP server on a real socket that answers as contracts/runs.rst says, from a script."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer; ``content`` None closes the connection without a word."""

    status: int = 200
    content: bytes | None = b""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request as it arrived."""

    method: str
    line: str  # Path and query as they were sent.
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Standin:
    """What to answer to each method and path, in order; the last answer repeats."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    script: dict[tuple[str, str], list[Reply]] = field(default_factory=dict)

    def answers(self, method: str, path: str, *replies: Reply) -> None:
        """Script the answers to one request."""
        self.script[(method, path)] = list(replies)

    def reply(self, asked: Asked) -> Reply:
        """The next answer of the script; whatever is not in it does not exist."""
        self.asked.append(asked)
        replies = self.script.get((asked.method, asked.path))
        if not replies:
            return problem(404, "NOT_FOUND", "There is no such resource.")
        return replies.pop(0) if len(replies) > 1 else replies[0]


def ok(data: Any, status: int = 200, **meta: Any) -> Reply:
    """A success in its envelope."""
    base = {"requestId": "req_local-1-abcdefabcdef", "timestamp": "2026-01-01T00:00:00.000Z"}
    return Reply(
        status=status,
        content=json.dumps({"success": True, "data": data, "meta": {**base, **meta}}).encode(),
        headers=(("Content-Type", "application/json"),),
    )


def page(*items: Any, after: str | None = None) -> Reply:
    """A page of a list; `after` is the cursor of the next one."""
    more = {"nextCursor": after} if after else {}
    facts = {"total": len(items), "page": 1, "pageSize": 20, "hasMore": bool(after), **more}
    return ok(list(items), pagination=facts)


def problem(status: int, code: str, message: str, retry_after: str = "", **details: Any) -> Reply:
    """An error in its body."""
    error = {"code": code, "message": message, **({"details": details} if details else {})}
    content = {"success": False, "error": error, "status": status, "detail": message, "meta": {}}
    headers = [("Content-Type", "application/problem+json"), ("X-Request-Id", "req_local-2-abcdefabcdef")]
    return Reply(
        status=status,
        content=json.dumps(content).encode(),
        headers=tuple([*headers, ("Retry-After", retry_after)] if retry_after else headers),
    )


def silence() -> Reply:
    """The connection is closed without an answer."""
    return Reply(content=None)


def events(*seqs_and_types: tuple[int, str]) -> Reply:
    """A stream that ends after these events."""
    text = ": heartbeat\n\n" + "".join(
        f"id: {seq}\nevent: {kind}\ndata: {json.dumps({'seq': seq, 'type': kind})}\n\n"
        for seq, kind in seqs_and_types
    )
    return Reply(content=text.encode(), headers=(("Content-Type", "text/event-stream"),))


@contextmanager
def running() -> Iterator[Standin]:
    """A server on a free port of loopback."""
    standin = Standin()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(standin))
    standin.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield standin
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _body(content: bytes, kind: str) -> Any:
    """JSON as a value, another text as it is."""
    return None if not content else json.loads(content) if kind.endswith("json") else content.decode()


def _handler(standin: Standin) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Reads a request, asks the script."""

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            self.close_connection = True
            if not self.raw_requestline or not self.parse_request():
                return
            reply = standin.reply(self._asked())
            if reply.content is None:
                return
            self.send_response(reply.status)
            for name, value in (*reply.headers, ("Connection", "close")):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.content)

        def _asked(self) -> Asked:
            length = int(self.headers.get("Content-Length") or 0)
            content = self.rfile.read(length)
            url = urlsplit(self.path)
            return Asked(
                method=self.command,
                line=self.path,
                path=url.path,
                query=dict(parse_qsl(url.query)),
                headers={name.lower(): value for name, value in self.headers.items()},
                body=_body(content, self.headers.get_content_type()),
            )

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    return Handler
