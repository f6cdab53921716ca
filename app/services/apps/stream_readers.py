"""Readers that follow streams: coroutines on the server's event loop, without a thread or connection each.

One thread of a process polls ten times a second, with one query for all waiting readers, which streams have
grown; a few threads then read the chunks of those. A writer in the same process is noticed at once. The
permission of each reader is checked again every few seconds.
"""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog

from app.domain.apps.refusal import Refused
from app.domain.errors import WindlassError
from app.record.apps import streams
from app.record.apps.scope import Scope
from app.record.session import Database, Tx
from app.services import permit
from app.services.apps import meter
from app.services.apps.meter import Meter
from app.services.permit import Permit

_log = structlog.get_logger("apps")
LOOK_S = 0.1
AGAIN_S = 0.5  # Before the next query, when the database did not answer.
MOST_READERS = 1_000
READING = 4
Send = Callable[[bytes], Awaitable[object]]


@dataclass(eq=False, kw_only=True)
class Reader:
    """One reader of a stream, and its position."""

    app: str
    name: str
    number: int  # Of the next chunk; negative: counted from the end.
    follows: bool  # Whether to wait for further chunks.
    permit: Permit  # Checked again while the reader waits.
    run_id: str | None = None  # Set when the stream is found.
    ends_at: int | None = None  # Number of chunks at which a reader that does not follow ends.
    loop: asyncio.AbstractEventLoop | None = None
    more: asyncio.Event = field(default_factory=asyncio.Event)

    def has_more(self, head: dict[str, Any]) -> bool:
        """Whether this state of the stream has a further chunk for the reader, or its end."""
        if (self.app, self.name) != (head["app"], head["name"]) or self.run_id not in (None, head["run_id"]):
            return False
        return bool(self.number < 0 or head["closed"] or head["chunks"] > self.number)


class Readers:
    """All stream readers of this process."""

    def __init__(self, db: Database, most: int = MOST_READERS) -> None:
        self._db, self._most = db, most
        self._lock = threading.Lock()
        self._meter, self._reported, self._next_report = Meter(db, meter.READERS), 0, 0.0
        self._taken = 0
        self._waiting: set[Reader] = set()
        self._notified = threading.Event()
        self._pool = ThreadPoolExecutor(READING, thread_name_prefix="stream")
        self._polls = False

    def place(self, reader: Reader) -> Callable[[Send], Awaitable[None]]:
        """A coroutine function that sends the stream; raises `Refused` (503) when all places are taken."""
        with self._lock:
            if self._taken >= self._most:
                raise Refused(
                    503, f"All {self._most} readers that this process may have are there; try again"
                )
            self._taken += 1

        async def send_all(send: Send) -> None:
            try:
                await self._send_all(reader, send)
            finally:
                with self._lock:
                    self._taken -= 1

        return send_all

    @property
    def taken(self) -> int:
        """The number of readers."""
        return self._taken

    @property
    def is_idle(self) -> bool:
        """Whether there are no readers, and the polling thread has ended."""
        return not self._taken and not self._polls

    def notify(self) -> None:
        """A stream was written in this process: let the polling thread query at once."""
        self._notified.set()

    async def _send_all(self, reader: Reader, send: Send) -> None:
        reader.loop = asyncio.get_running_loop()
        while True:
            # Before the query and not after it: a write in between sets the event again, and the wait ends at
            # once.
            reader.more.clear()
            try:
                data, is_over = await reader.loop.run_in_executor(self._pool, self._read, reader)
                if data is None and not is_over:  # No chunk at all; empty chunks give b"".
                    await self._wait(reader, reader.loop)
            except WindlassError as error:
                # Ending the response would look like the end of the stream: wait for the database instead.
                _log.warning("stream.waits", error=error.message)
                await asyncio.sleep(AGAIN_S)
                continue
            if data:
                await send(data)
            elif is_over:
                return

    async def _wait(self, reader: Reader, loop: asyncio.AbstractEventLoop) -> None:
        """Wait until the stream has more, or the reader's permission has ended."""
        with self._lock:
            self._waiting.add(reader)
            # The polling thread ends under the same lock: no reader waits for a thread that has just ended.
            if not self._polls:
                self._polls = True
                threading.Thread(target=self._poll, name="streams", daemon=True).start()
        try:
            # A reader may follow a stream for hours. It must end when its key is revoked or its session
            # ends.
            while not reader.more.is_set() and await loop.run_in_executor(self._pool, reader.permit.holds):
                with suppress(TimeoutError):
                    async with asyncio.timeout(permit.CHECK_S):
                        await reader.more.wait()
        finally:
            with self._lock:
                self._waiting.discard(reader)

    def _read(self, reader: Reader) -> tuple[bytes | None, bool]:
        """The next bytes (empty for empty chunks, None for no chunk), and whether the stream has ended."""
        if not reader.permit.holds():
            return None, True
        data, is_over = self._db.read(lambda tx: _next(tx, reader))
        run_id = reader.run_id
        if is_over and run_id is not None and reader.follows and reader.name.startswith(streams.HEALTH_CHECK):
            self._db.write(lambda tx: streams.delete(tx, Scope.of(tx, reader.app), run_id, reader.name))
        return data, is_over

    def _poll(self) -> None:
        self._next_report = time.monotonic() + meter.BEAT_S
        while True:
            self._notified.wait(LOOK_S)
            self._notified.clear()
            self._report_in_time()
            with self._lock:
                waiting = list(self._waiting)
                if not waiting:
                    self._polls = False
                    return
            try:
                names = sorted({(one.app, one.name) for one in waiting})
                found = self._db.read(lambda tx, names=names: streams.heads(tx, names))  # type: ignore[misc]
            except Exception as error:  # The query is repeated; all waiting readers need this thread.
                _log.warning("stream.unseen", error=type(error).__name__)
                time.sleep(AGAIN_S)
                continue
            heads: dict[tuple[str, str], list[dict[str, object]]] = {}
            for head in found:
                heads.setdefault((head["app"], head["name"]), []).append(head)
            for one in waiting:
                if one.loop and any(one.has_more(head) for head in heads.get((one.app, one.name), ())):
                    one.loop.call_soon_threadsafe(one.more.set)

    def _report_in_time(self) -> None:
        """Report the number of readers, every ten seconds and when the last one has left."""
        left = self._reported and not self._waiting
        if left or time.monotonic() >= self._next_report:
            self._next_report = time.monotonic() + meter.BEAT_S
            try:
                self._meter.report(self._taken)
                self._reported = self._taken
            except WindlassError as error:
                _log.warning("stream.uncounted", error=error.message)


def _next(tx: Tx, reader: Reader) -> tuple[bytes | None, bool]:
    scope = Scope.of(tx, reader.app)
    if reader.run_id is None:
        stream = streams.named(tx, scope, reader.name)
    else:
        stream = streams.one(tx, scope, reader.run_id, reader.name)
    if stream is None:  # It does not exist yet, or has been deleted with its run.
        return None, not reader.follows or reader.run_id is not None
    if reader.run_id is None:
        # Fixed when the stream is first found: one of the same name in a later run is another stream.
        reader.run_id = stream["run_id"]
        reader.ends_at = None if reader.follows else stream["chunks"]
    if reader.number < 0:
        reader.number = max(0, stream["chunks"] + reader.number)
    end = stream["chunks"] if reader.ends_at is None else reader.ends_at
    if reader.number >= end:
        return None, stream["closed"] or not reader.follows
    found = streams.chunks(tx, scope, stream["run_id"], reader.name, reader.number, end - reader.number)
    reader.number += len(found)
    return b"".join(bytes(row["data"]) for row in found), False
