"""Those who follow streams: coroutines of the server's loop, which hold no thread and no connection.

One thread a process looks ten times a second, with one question for all who wait, which streams have grown;
only for those something is read, by a few threads. A writer in the same process is heard at once. Whether a
reader may still read is asked every few seconds.
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
AGAIN_S = 0.5  # Until the database is asked once more after it did not answer.
MOST_READERS = 1_000
READING = 4
Send = Callable[[bytes], Awaitable[object]]


@dataclass(eq=False, kw_only=True)
class Reader:
    """One who follows a stream, and how far."""

    app: str
    name: str
    number: int  # Of the next chunk; below zero: that far from the end.
    follows: bool  # Whether to wait for what is not there yet.
    permit: Permit  # Whether to go on at all.
    run_id: str | None = None  # Known once the stream is there.
    ends_at: int | None = None  # Where somebody who does not wait ends.
    loop: asyncio.AbstractEventLoop | None = None
    more: asyncio.Event = field(default_factory=asyncio.Event)

    def has_more(self, head: dict[str, Any]) -> bool:
        """Whether this state of a stream is news."""
        if (self.app, self.name) != (head["app"], head["name"]) or self.run_id not in (None, head["run_id"]):
            return False
        return bool(self.number < 0 or head["closed"] or head["chunks"] > self.number)


class Readers:
    """All who follow streams at this process."""

    def __init__(self, db: Database, most: int = MOST_READERS) -> None:
        self._db, self._most = db, most
        self._lock = threading.Lock()
        self._meter, self._said, self._next_say = Meter(db, meter.READERS), 0, 0.0
        self._taken = 0
        self._waiting: set[Reader] = set()
        self._poked = threading.Event()
        self._pool = ThreadPoolExecutor(READING, thread_name_prefix="stream")
        self._looks = False

    def place(self, reader: Reader) -> Callable[[Send], Awaitable[None]]:
        """What sends a stream to its reader; raises `Refused` when all places are taken."""
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
        """Places that are taken."""
        return self._taken

    @property
    def is_idle(self) -> bool:
        """Whether nobody reads, and nobody looks for them."""
        return not self._taken and not self._looks

    def poke(self) -> None:
        """Somebody wrote at this process."""
        self._poked.set()

    async def _send_all(self, reader: Reader, send: Send) -> None:
        reader.loop = asyncio.get_running_loop()
        while True:
            # Before the look and not after it: what is written in between sets it again, and the wait ends at
            # once.
            reader.more.clear()
            try:
                data, is_over = await reader.loop.run_in_executor(self._pool, self._read, reader)
                if data is None and not is_over:  # And not only empty chunks.
                    await self._wait(reader, reader.loop)
            except WindlassError as error:
                # An end would look like the end of the stream: whoever reads waits for the database, too.
                _log.warning("stream.waits", error=error.message)
                await asyncio.sleep(AGAIN_S)
                continue
            if data:
                await send(data)
            elif is_over:
                return

    async def _wait(self, reader: Reader, loop: asyncio.AbstractEventLoop) -> None:
        """Until there is more, or the reader may not go on."""
        with self._lock:
            self._waiting.add(reader)
            # Under the lock under which the thread leaves: nobody begins to wait for one that has just gone.
            if not self._looks:
                self._looks = True
                threading.Thread(target=self._look_on, name="streams", daemon=True).start()
        try:
            # A reader may follow for hours. A key that is revoked, or a session that ends, ends the reading
            # too.
            while not reader.more.is_set() and await loop.run_in_executor(self._pool, reader.permit.holds):
                with suppress(TimeoutError):
                    async with asyncio.timeout(permit.CHECK_S):
                        await reader.more.wait()
        finally:
            with self._lock:
                self._waiting.discard(reader)

    def _read(self, reader: Reader) -> tuple[bytes | None, bool]:
        """The next bytes, empty for empty chunks, None for no chunk; and whether that was the end."""
        if not reader.permit.holds():
            return None, True
        data, is_over = self._db.read(lambda tx: _next(tx, reader))
        run_id = reader.run_id
        if is_over and run_id is not None and reader.follows and reader.name.startswith(streams.HEALTH_CHECK):
            self._db.write(lambda tx: streams.delete(tx, Scope.of(tx, reader.app), run_id, reader.name))
        return data, is_over

    def _look_on(self) -> None:
        self._next_say = time.monotonic() + meter.BEAT_S
        while True:
            self._poked.wait(LOOK_S)
            self._poked.clear()
            self._say_in_time()
            with self._lock:
                waiting = list(self._waiting)
                if not waiting:
                    self._looks = False
                    return
            try:
                names = sorted({(one.app, one.name) for one in waiting})
                found = self._db.read(lambda tx, names=names: streams.heads(tx, names))  # type: ignore[misc]
            except Exception as error:  # It is asked again; the thread is for all who wait.
                _log.warning("stream.unseen", error=type(error).__name__)
                time.sleep(AGAIN_S)
                continue
            heads: dict[tuple[str, str], list[dict[str, object]]] = {}
            for head in found:
                heads.setdefault((head["app"], head["name"]), []).append(head)
            for one in waiting:
                if one.loop and any(one.has_more(head) for head in heads.get((one.app, one.name), ())):
                    one.loop.call_soon_threadsafe(one.more.set)

    def _say_in_time(self) -> None:
        """Tell the metrics how many read; those who left before the next time were never told of."""
        left = self._said and not self._waiting
        if left or time.monotonic() >= self._next_say:
            self._next_say = time.monotonic() + meter.BEAT_S
            try:
                self._meter.say(self._taken)
                self._said = self._taken
            except WindlassError as error:
                _log.warning("stream.uncounted", error=error.message)


def _next(tx: Tx, reader: Reader) -> tuple[bytes | None, bool]:
    scope = Scope.of(tx, reader.app)
    if reader.run_id is None:
        stream = streams.named(tx, scope, reader.name)
    else:
        stream = streams.one(tx, scope, reader.run_id, reader.name)
    if stream is None:  # Not there yet, or, once it was, deleted with its run.
        return None, not reader.follows or reader.run_id is not None
    if reader.run_id is None:
        # Fixed at the first sight: a later run with a stream of the same name is another stream.
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
