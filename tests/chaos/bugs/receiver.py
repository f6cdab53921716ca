"""A receiver of webhooks that first redirects every delivery, and remembers what it answered."""

import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

ELSEWHERE, TAKEN = 302, 204


class Receiver:
    """Answers each delivery with a redirect at first, and takes it when it comes again."""

    def __init__(self) -> None:
        self.answers: dict[str, list[int]] = defaultdict(list)  # By delivery.
        lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(handler: Any) -> None:
                handler.rfile.read(int(handler.headers.get("content-length", 0)))
                with lock:
                    answers = self.answers[handler.headers["webhook-id"]]
                    answers.append(TAKEN if answers else ELSEWHERE)
                handler.send_response(answers[-1])
                handler.send_header("location", "/elsewhere")
                handler.send_header("content-length", "0")
                handler.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """The answers are the log."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
