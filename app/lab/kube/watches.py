"""Watches: what happened after a version, as it happens, one JSON object a line."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from app.lab.kube.errors import Refused, expired
from app.lab.kube.faults import ActiveFaults, Faults
from app.lab.kube.kinds import Kind
from app.lab.kube.selectors import Selector
from app.lab.kube.store import ADDED, DELETED, Compacted, Event, Record, Store

_BATCH = 65_536  # Bytes that are written at a time.
_LOOK = 1.0  # Seconds after which a silent watch looks whether its client is still there.
_NEVER = float("inf")


@dataclass(frozen=True, kw_only=True)
class Watch:
    """What a client wants to see happen."""

    kind: Kind
    namespace: str | None
    chosen: Selector
    version: int | None  # Resume after it; None shows what is there first.
    bookmarks: float | None  # Seconds between them.
    seconds: float | None  # After them the stream ends; None is never.
    initial_end: bool = False  # Whether a bookmark tells the end of what was there first.


Encode = Callable[[str, bytes], bytes]  # Type and object of an event to its line.


def line(type_: str, raw: bytes) -> bytes:
    """An event as it goes over the wire."""
    return b'{"type":"%b","object":%b}\n' % (type_.encode(), raw)


class Stream:
    """One watch as it runs; raises `Refused` (410) at once when the server is told to answer so."""

    def __init__(
        self,
        store: Store,
        watch: Watch,
        active_faults: ActiveFaults,
        gone: Callable[[], bool],
        encode: Encode = line,
    ) -> None:
        self._store = store
        self._watch = watch
        self._active_faults = active_faults
        self._gone = gone
        self._encode = encode
        self._seen = store.version if watch.version is None else watch.version
        if watch.version is not None and self._is_told_gone("answer"):
            raise self._too_old()

    async def pieces(self) -> AsyncIterator[bytes]:
        """The lines, many in a piece when there is much to tell."""
        clock = asyncio.get_running_loop().time
        began, bookmark = clock(), clock()
        end = began + self._watch.seconds if self._watch.seconds else _NEVER
        if self._watch.version is None:
            self._seen = self._store.version
            for piece in _batches(self._first()):
                yield piece
        while clock() < end and not self._gone():
            cut = began + (self._faults.watch_cut or _NEVER)
            if clock() >= cut:
                raise ConnectionAbortedError
            try:
                happened = self._events()
            except Refused as error:
                yield line("ERROR", json.dumps(error.status()).encode())
                return
            self._seen = max(self._store.version, self._seen)
            if happened:
                await asyncio.sleep(self._faults.watch_delay)
            for piece in _batches(self._shown(happened)):
                yield piece
            due = bookmark + (self._watch.bookmarks or _NEVER)
            if clock() >= due and not self._faults.watch_mute:
                bookmark = clock()
                yield self._bookmark()
            if self._store.version == self._seen:
                await self._store.changed(
                    self._watch.kind, max(0.0, min(_LOOK, *(t - clock() for t in (end, cut, due))))
                )
        if self._watch.bookmarks and not self._gone():
            yield self._bookmark()

    @property
    def _faults(self) -> Faults:
        """What is wrong with this watch now."""
        faults = self._active_faults.current
        return faults if faults.concern("watch", self._watch.kind.plural) else Faults()

    def _is_told_gone(self, how: str) -> bool:
        return self._faults.gone == how and self._active_faults.applies("gone")

    def _too_old(self) -> Refused:
        return expired(f"too old resource version: {self._seen} ({self._store.version})")

    def _events(self) -> list[Event]:
        """What has happened since the last look; raises `Refused` (410)."""
        if self._watch.version is not None and self._is_told_gone("event"):
            raise self._too_old()
        try:
            return self._store.after(self._watch.kind, self._seen)
        except Compacted:
            raise self._too_old() from None

    def _first(self) -> Iterator[bytes]:
        """What is there already, as if it came into being now."""
        for record in self._store.records(self._watch.kind, self._watch.namespace):
            if self._watch.chosen.takes(record):
                yield self._encode(ADDED, record.raw)
        if self._watch.initial_end:
            yield self._bookmark({"annotations": {"k8s.io/initial-events-end": "true"}})

    def _shown(self, happened: list[Event]) -> Iterator[bytes]:
        """The events through the selector: what enters it is added, what leaves it is deleted."""
        chosen = self._watch.chosen
        for event in () if self._faults.watch_mute else happened:
            if self._watch.namespace not in (None, event.record.key[0]):
                continue
            before = event.before is not None and chosen.takes(event.before)
            after = event.type != DELETED and chosen.takes(event.record)
            if before or after:
                type_ = event.type if before and after else ADDED if after else DELETED
                left = event.before if before and event.type != DELETED and not after else None
                yield self._encode(type_, _as_it_was(left, event.record) if left else event.record.raw)

    def _bookmark(self, more: Mapping[str, object] | None = None) -> bytes:
        kind = self._watch.kind
        metadata = {"resourceVersion": str(self._seen), **(more or {})}
        content = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata}
        return line("BOOKMARK", json.dumps(content).encode())


def _as_it_was(before: Record, after: Record) -> bytes:
    """What a watch tells of an object that leaves its selector: the one that fitted, at the new version."""
    content = before.object()
    content["metadata"]["resourceVersion"] = after.object()["metadata"]["resourceVersion"]
    return json.dumps(content).encode()


def _batches(lines: Iterable[bytes]) -> Iterator[bytes]:
    batch: list[bytes] = []
    size = 0
    for one in lines:
        batch.append(one)
        size += len(one)
        if size >= _BATCH:
            yield b"".join(batch)
            batch, size = [], 0
    if batch:
        yield b"".join(batch)
