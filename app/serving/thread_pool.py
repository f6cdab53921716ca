"""The threads that run the application, in pools: requests that fill one pool do not delay the others."""

import asyncio
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any

import structlog

from app.serving.limits import Limits
from app.serving.refusals import broken

WSGI = Callable[..., Iterable[bytes]]
# Key of the WSGI environment under which an application leaves a coroutine function that sends the body of
# its answer on the event loop, without a thread. Its argument is the function that sends bytes.
LIVE = "windlass.live"
_log = structlog.get_logger("serving")


class Job:
    """One request whose head and body have arrived."""

    def __init__(self, environ: dict[str, Any], protocol: Any, loop: asyncio.AbstractEventLoop) -> None:
        self.environ, self.protocol, self.loop = environ, protocol, loop
        self.done: asyncio.Future[None] = loop.create_future()

    def end(self) -> None:
        """Tell the loop that the answer was given."""
        self.loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        if not self.done.done():
            self.done.set_result(None)


class ThreadPool:
    """Some threads and the requests that wait for them."""

    def __init__(self, app: WSGI, threads: int, limits: Limits) -> None:
        self._app, self._limits = app, limits
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        for number in range(threads):
            threading.Thread(target=self._work, name=f"request-{number}", daemon=True).start()

    def take(self, job: Job) -> bool:
        """Whether the request was taken; False when too many wait."""
        if self._jobs.qsize() >= self._limits.waiting:
            return False
        self._jobs.put(job)
        return True

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            goes_on = False
            try:
                goes_on = _answer(self._app, job, self._limits)
            # Whatever the application let through must not end the thread.
            except Exception as error:
                _log.exception("request.crashed", error=type(error).__name__)
                job.protocol.response_bytes(*broken().answer())
            finally:
                if not goes_on:
                    job.end()


def _answer(app: WSGI, job: Job, limits: Limits) -> bool:
    """Answer a request; whether the loop goes on with it."""
    told: list[tuple[int, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], _error: object = None) -> None:
        told[:] = [(int(status[:3]), headers)]

    answer = app(job.environ, start_response)
    try:
        status, headers = told[0]
        if LIVE in job.environ:
            asyncio.run_coroutine_threadsafe(_live(job, status, headers), job.loop)
            return True
        if any(name.lower() == "content-length" for name, _ in headers) or status in (204, 304):
            job.protocol.response_bytes(status, headers, b"".join(answer))
        else:
            _stream(answer, job, status, headers, limits)
    finally:
        close = getattr(answer, "close", None)
        if close is not None:
            close()
    return False


async def _live(job: Job, status: int, headers: list[tuple[str, str]]) -> None:
    """Send the head at once, and then what comes, until its end or that of the client."""
    kept = [(name, value) for name, value in headers if name.lower() != "content-length"]
    transport = job.protocol.response_stream(status, kept)
    sending = asyncio.ensure_future(job.environ[LIVE](transport.send_bytes))
    gone = asyncio.ensure_future(_disconnect(job.protocol))
    try:
        await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
        sending.cancel()
        await asyncio.wait({sending, gone})
        if not sending.cancelled() and (error := sending.exception()):
            _log.error("stream.crashed", error=type(error).__name__)
        job.end()


def _stream(
    chunks: Iterable[bytes], job: Job, status: int, headers: list[tuple[str, str]], limits: Limits
) -> None:
    """Send part by part until the last one, the limit, or the end of the client."""
    transport = job.protocol.response_stream(status, headers)
    gone: Future[None] = asyncio.run_coroutine_threadsafe(_disconnect(job.protocol), job.loop)
    sent = 0
    try:
        for chunk in chunks:
            if gone.done() or sent > limits.streamed_bytes:
                return
            if chunk:
                transport.send_bytes(chunk)
                sent += len(chunk)
    finally:
        gone.cancel()


async def _disconnect(protocol: Any) -> None:
    await protocol.client_disconnect()
