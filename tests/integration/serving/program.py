"""A small WSGI application behind the real server, with limits that a test can wait for.

``/hold`` stays in its thread, and ``/stream`` sends on, until the file HELD is gone.
"""

import os
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from granian.server.common import AbstractWorker

from app.domain.errors import WindlassError
from app.serving.limits import Limits
from app.serving.server import CannotServe, serve
from app.serving.thread_pool import WSGI

THREADS = 4
PAUSE = threading.Event()
LIMITS = Limits(head_s=1, body_s=1.0, body_bytes=1_000)


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """How long the body was; the path says what else is done."""
    path, held = environ["PATH_INFO"], Path(os.environ["HELD"])
    if path == "/crash":
        raise RuntimeError("on purpose")
    if path == "/stream":
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        return _beats(held)
    if path == "/hold":
        _wait(held)
    body = str(len(environ["wsgi.input"].read())).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def _beats(held: Path) -> Iterator[bytes]:
    opened = held.with_name("opened")
    opened.touch()
    try:
        while held.exists():
            yield b": beat\n\n"
            PAUSE.wait(0.05)
    finally:
        opened.unlink()


def _wait(held: Path) -> None:
    while held.exists():
        PAUSE.wait(0.05)


def refusing() -> WSGI:
    """A factory that does not start."""
    raise WindlassError("Nothing is configured here.")


def made() -> WSGI:
    """A factory that starts."""
    return application


def deaf() -> WSGI:
    """A factory that starts, in a server that is told of no death."""
    return application


def _watch_for_nobody(worker: Any) -> None:
    worker.inner.join()


def broken() -> WSGI:
    """A factory that fails without a word of ours."""
    raise RuntimeError("on purpose")


if __name__ == "__main__":
    factory = {one.__name__: one for one in (made, deaf, refusing, broken)}[sys.argv[2]]
    if factory is deaf:
        setattr(AbstractWorker, "_watcher", _watch_for_nobody)  # noqa: B010 - it is granian's.
    try:
        sys.exit(serve(factory, "127.0.0.1", int(sys.argv[1]), workers=1, threads=THREADS, limits=LIMITS))
    except CannotServe as error:
        sys.exit(f"Error: {error}")
