"""Lists, a page at a time, and watches."""

import asyncio
import base64
import json
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from app.lab.kube.errors import Refused, bad_request, expired
from app.lab.kube.kinds import Kind
from app.lab.kube.selectors import Selector
from app.lab.kube.store import ADDED, DELETED, Compacted, Event, Record, Store

_SNAPSHOTS = 200  # Lists that can be continued; the oldest expire.
_BATCH = 65_536  # Bytes that are written to a watch at a time.
_LOOK = 1.0  # Seconds after which a silent watch looks whether its client is still there.


@dataclass(frozen=True, kw_only=True)
class Page:
    """One answer to a list."""

    records: list[Record]
    version: int
    token: str = ""  # Continues the list.
    remaining: int | None = None


class Lists:
    """Consistent lists: all pages show the state at the version of the first one."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._snapshots: OrderedDict[str, tuple[int, list[Record]]] = OrderedDict()

    def page(self, kind: Kind, namespace: str | None, chosen: Selector, limit: int, token: str) -> Page:
        """The first page or, with a token, the next one; raises `Refused` (400, 410)."""
        snapshot, start = _read_token(token) if token else ("", 0)
        if snapshot and snapshot not in self._snapshots:
            raise expired("The provided continue parameter is too old to display a consistent list result.")
        if snapshot:
            version, records = self._snapshots[snapshot]
        else:
            version = self._store.version
            records = [one for one in self._store.records(kind, namespace) if chosen.takes(one)]
        rest = len(records) - start - limit
        if limit <= 0 or rest <= 0:
            return Page(records=records[start:], version=version)
        if not snapshot:
            snapshot = secrets.token_hex(8)
            self._snapshots[snapshot] = (version, records)
            if len(self._snapshots) > _SNAPSHOTS:
                self._snapshots.popitem(last=False)
        following = _token(snapshot, start + limit)
        remaining = None if chosen else rest
        return Page(
            records=records[start : start + limit], version=version, token=following, remaining=remaining
        )

    def forget(self) -> None:
        """No list can be continued any more."""
        self._snapshots.clear()


def _token(snapshot: str, start: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([snapshot, start]).encode()).decode()


def _read_token(token: str) -> tuple[str, int]:
    try:
        snapshot, start = json.loads(base64.urlsafe_b64decode(token))
        return str(snapshot), int(start)
    except ValueError as error:
        raise bad_request("continue key is not valid") from error


@dataclass(frozen=True, kw_only=True)
class Watch:
    """What a client wants to see happen."""

    kind: Kind
    namespace: str | None
    chosen: Selector
    version: int | None  # Resume after it; None shows what is there first.
    bookmarks: bool
    seconds: float | None  # After them the stream ends; None is never.
    initial_end: bool = False  # Whether a bookmark tells the end of what was there first.


Encode = Callable[[str, bytes], bytes]  # Type and object of an event to its line.


def line(type_: str, raw: bytes) -> bytes:
    """An event as it goes over the wire."""
    return b'{"type":"%b","object":%b}\n' % (type_.encode(), raw)


class Stream:
    """One watch as it runs."""

    def __init__(
        self,
        store: Store,
        watch: Watch,
        bookmark_seconds: float,
        gone: Callable[[], bool],
        encode: Encode = line,
    ) -> None:
        self._store = store
        self._watch = watch
        self._every = bookmark_seconds
        self._gone = gone
        self._encode = encode
        self._seen = watch.version if watch.version is not None else store.version
        if watch.version is not None:
            self.events()  # A version that is too old is told before anything is sent.

    def events(self) -> list[Event]:
        """What has happened since the last look; raises `Refused` (410)."""
        try:
            return self._store.after(self._watch.kind, self._seen)
        except Compacted:
            raise expired(f"too old resource version: {self._seen} ({self._store.version})") from None

    async def pieces(self) -> AsyncIterator[bytes]:
        """The lines, many in a piece when there is much to tell."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._watch.seconds if self._watch.seconds else float("inf")
        bookmark = loop.time() + self._every
        if self._watch.version is None:
            self._seen = self._store.version
            for piece in self._batches(self._first()):
                yield piece
        while loop.time() < end and not self._gone():
            try:
                happened = self.events()
            except Refused as error:
                yield line("ERROR", json.dumps(error.status()).encode())
                return
            self._seen = max(self._store.version, self._seen)
            for piece in self._batches(filter(None, map(self._shown, happened))):
                yield piece
            if self._watch.bookmarks and loop.time() >= bookmark:
                bookmark = loop.time() + self._every
                yield self._bookmark()
            if self._store.version == self._seen:
                await self._store.changed(
                    self._watch.kind, max(0.0, min(_LOOK, self._every, end - loop.time()))
                )
        if self._watch.bookmarks and not self._gone():
            yield self._bookmark()

    def _first(self) -> Iterable[bytes]:
        """What is there already, as if it came into being now."""
        for record in self._store.records(self._watch.kind, self._watch.namespace):
            if self._watch.chosen.takes(record):
                yield self._encode(ADDED, record.raw)
        if self._watch.initial_end:
            yield self._bookmark({"annotations": {"k8s.io/initial-events-end": "true"}})

    def _shown(self, event: Event) -> bytes | None:
        """How an event looks through the selector: what enters it is added, what leaves it is deleted."""
        if self._watch.namespace not in (None, event.record.key[0]):
            return None
        before = event.before is not None and self._watch.chosen.takes(event.before)
        after = event.type != DELETED and self._watch.chosen.takes(event.record)
        if not before and not after:
            return None
        kind = event.type if before and after else ADDED if after else DELETED
        return self._encode(kind, event.record.raw)

    def _bookmark(self, more: dict[str, Any] | None = None) -> bytes:
        kind = self._watch.kind
        metadata = {"resourceVersion": str(self._seen), **(more or {})}
        content = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata}
        return line("BOOKMARK", json.dumps(content).encode())

    @staticmethod
    def _batches(lines: Iterable[bytes]) -> Iterable[bytes]:
        batch, size = [], 0
        for one in lines:
            batch.append(one)
            size += len(one)
            if size >= _BATCH:
                yield b"".join(batch)
                batch, size = [], 0
        if batch:
            yield b"".join(batch)
