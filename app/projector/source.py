"""One collection as it is watched by this process: one thread reads what happens, another one writes it.

Whatever has piled up while the last transaction lasted goes into the next one, so that a busy collection
costs few of them and a quiet one is written at once. What cannot be written is tried again until it can: a
look that is written twice changes nothing the second time.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from app.domain.errors import Contended, WindlassError
from app.domain.observed import Observation
from app.domain.policy import backoff
from app.providers.kube import Kube
from app.providers.reflector import Event, Item, Pace, Page, Reflector
from app.record.inventory import observed, sources
from app.record.inventory.observed import Changed
from app.record.inventory.sources import Held, Superseded
from app.record.session import Database, Tx
from tasks.watched import OURS, WATCHED, after_all, owner

log = structlog.get_logger(__name__)
AGAIN = backoff("500ms", cap="30s", limit=0)
WAITING = 200  # Items that may wait to be written; then the reader waits, and TCP with it.
TOGETHER = 500  # Looks that are written in one transaction, as far as they do not come in one page.
TICK_S = 0.5
PATIENCE_S = 1.0  # With a row that somebody holds; after that it is left out.

Row = dict[str, Any]
Reached = Callable[[str], tuple[Row, Kube]]  # A management cluster's row and a client of it.


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What is to be written: looks at objects that are there, or gone; after a last page, who was listed."""

    looks: tuple[Observation, ...] = ()
    gone: bool = False
    listed: frozenset[str] | None = None
    version: str = ""  # At which they were listed.
    at: float = field(default_factory=time.monotonic)  # When it was heard.

    def without(self, held: frozenset[str]) -> "Seen":
        """The same but for some resources, of which it then says nothing."""
        listed = None if self.listed is None else self.listed | held
        return replace(self, looks=tuple(one for one in self.looks if one.id not in held), listed=listed)

    def only(self, held: frozenset[str]) -> "Seen":
        """What it says of some resources; the end of one that was not listed is found by the next list."""
        return Seen(looks=tuple(one for one in self.looks if one.id in held), gone=self.gone)

    @property
    def amid(self) -> bool:
        """Whether a list has begun and is not complete: what was known before may be wrong by now."""
        return self.listed is None and bool(self.version)


class Source:
    """A source that this process holds, until it is stopped or superseded."""

    def __init__(self, db: Database, reach: Reached, held: Held, name: str, pace: Pace) -> None:
        self.held = held
        self.problem: str | None = None  # Why it cannot be watched, or written, now.
        self._db, self._reach, self._pace = db, reach, pace
        self._watched = WATCHED[held.kind]
        self._waiting: queue.Queue[Seen] = queue.Queue(WAITING)
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []
        self._kube: Kube | None = None
        self._listed: list[str] = []
        self._there: set[str] = set()
        self._times: dict[str, int] = {}  # listed_at, seen_at.
        self._log = log.bind(management=name, kind=held.kind)

    def start(self) -> None:
        """Begin; the threads do not keep the process alive."""
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._read, self._write)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Read and write nothing any more."""
        self._stopped.set()
        if self._kube is not None:
            self._kube.interrupt()
        with suppress(queue.Full):
            self._waiting.put_nowait(Seen())  # Whoever waits for something to write looks up.

    def join(self, seconds: float) -> None:
        """Wait until both threads have ended, but not for longer."""
        for thread in self._threads:
            thread.join(seconds)

    def report(self) -> Row:
        """What others may know of it: see the table `source`."""
        return {"problem": self.problem, "objects": len(self._there), **self._times}

    def _read(self) -> None:
        failures, reflector = 0, None
        while not self._stopped.is_set():
            try:
                # Each time anew: the way in may have been changed.
                row, kube = self._reach(self.held.management_id)
                reflector = reflector or Reflector(self._watched.path(row), OURS, self._pace)
                self._kube = kube
                with closing(kube):
                    for item in reflector.follow(kube):
                        self._put(self._seen(item))
                        if self._stopped.is_set():
                            return
                        failures = failures if isinstance(item, Page) else 0
            except Exception as error:  # Whatever it is, this source goes on, and no other one is touched.
                if self._stopped.is_set():
                    return
                failures += 1
                self._stopped.wait(self._failed(error, failures) / 1000)

    def _failed(self, error: Exception, failures: int) -> int:
        """Tell people why; the milliseconds until the next attempt."""
        expected = isinstance(error, WindlassError)
        self.problem = str(error) if expected else f"{type(error).__name__}: {error}"
        pause = AGAIN.wait_ms(failures, asked_ms=getattr(error, "retry_after_ms", 0)) or 0
        facts = {"reason": self.problem, "failures": failures, "again_in_ms": pause}
        self._log.warning("source.failed", **facts, exc_info=not expected)
        return pause

    def _seen(self, item: Item) -> Seen:
        if isinstance(item, Page):
            # An object that cannot be read is there all the same.
            self._listed = [*([] if item.first else self._listed), *map(owner, item.objects)]
            listed = frozenset(self._listed) if item.last else None
            return Seen(looks=tuple(self._looks(item.objects)), listed=listed, version=item.version)
        if isinstance(item, Event):
            return Seen(looks=tuple(self._looks([item.object])), gone=item.type == "DELETED")
        return Seen()

    def _looks(self, objects: Iterable[Row]) -> Iterable[Observation]:
        for one in objects:
            try:
                yield self._watched.look(one)
            except (LookupError, TypeError, ValueError, AttributeError) as error:
                name = (one.get("metadata") or {}).get("name")
                self._log.warning("object.unreadable", name=name, error=repr(error))

    def _put(self, seen: Seen) -> None:
        while not self._stopped.is_set():
            try:
                self._waiting.put(seen, timeout=TICK_S)
            except queue.Full:
                continue
            return

    def _write(self) -> None:
        while not self._stopped.is_set():
            together, failures = self._together(), 0
            while together and not self._stopped.is_set():
                try:
                    self._keep(together, around=failures > 0)
                    break
                except Contended as error:  # Somebody holds a row: the others do not wait for it.
                    failures += 1
                    if failures > 1:
                        self._stopped.wait(self._failed(error, failures) / 1000)
                except Superseded:
                    self.stop()
                except Exception as error:  # The database is away, or a look is poison: people have to know.
                    failures += 1
                    self._stopped.wait(self._failed(error, failures) / 1000)

    def _together(self) -> list[Seen]:
        """What waits, but not everything at once."""
        found: list[Seen] = []
        with suppress(queue.Empty):
            found.append(self._waiting.get(timeout=TICK_S))
            while sum(len(one.looks) for one in found) < TOGETHER:
                found.append(self._waiting.get_nowait())
        return found

    def _keep(self, together: list[Seen], *, around: bool) -> None:
        """Write what was seen; ``around`` leaves out what somebody holds, which then waits for its turn."""
        certain = [sure for one in _merged(together) for sure in self._certain(one)]

        def work(tx: Tx) -> tuple[int, Changed, frozenset[str]]:
            row = sources.locked(tx, self.held)
            held = self._held_by_others(tx, certain) if around else frozenset()
            changed = [change for one in certain for change in self._observe(tx, one.without(held))]
            if changed:
                sources.note_changes(tx, row, changed)
            return tx.now, changed, held

        now, changed, held = self._db.write(work, patience_s=PATIENCE_S)
        for left in (one.only(held) for one in certain):
            if left.looks:
                with suppress(queue.Full):  # The next list has it, too.
                    self._waiting.put_nowait(left)
        behind = round((time.monotonic() - together[-1].at) * 1000)
        self._note(together, now - behind)
        if changed:
            self._log.debug("source.changed", changes=len(changed), behind_ms=behind)

    def _held_by_others(self, tx: Tx, certain: Sequence[Seen]) -> frozenset[str]:
        ids = {look.id for one in certain for look in one.looks}
        missing = {
            row["id"]
            for one in certain
            if one.listed is not None
            for row in observed.unlisted(tx, self.held.kind, self.held.management_id, one.listed)
        }
        return observed.held_by_others(tx, self.held.kind, self.held.management_id, ids | missing)

    def _certain(self, seen: Seen) -> list[Seen]:
        """What was told, without the ends that are none: what lost its label has only left the watch."""
        if seen.gone:
            missing = [{"id": look.id, "name": look.name, "uid": look.uid} for look in seen.looks]
        elif seen.listed is not None:
            listed = seen.listed
            missing = self._db.read(
                lambda tx: observed.unlisted(tx, self.held.kind, self.held.management_id, listed)
            )
        else:
            return [seen]
        there = self._after_all(missing)
        ids = frozenset(look.id for look in there)
        if seen.gone:
            gone = replace(seen, looks=tuple(look for look in seen.looks if look.id not in ids))
            return [gone, Seen(looks=tuple(there))]
        return [replace(seen, looks=(*seen.looks, *there), listed=(seen.listed or frozenset()) | ids)]

    def _after_all(self, missing: Sequence[Row]) -> list[Observation]:
        if not missing:
            return []
        row, kube = self._reach(self.held.management_id)
        with closing(kube):
            return after_all(kube, row, self._watched, missing)

    def _observe(self, tx: Tx, seen: Seen) -> Changed:
        where = (tx, self.held.kind, self.held.management_id)
        if seen.gone:
            return observed.observe_gone(*where, seen.looks)
        changed = observed.observe(*where, seen.looks)
        if seen.listed is not None:
            changed += observed.observe_missing(*where, seen.listed, seen.version)
        return changed

    def _note(self, written: Sequence[Seen], heard: int) -> None:
        """Know how many objects there are, and until when what is recorded was true."""
        for seen in written:
            ids = {look.id for look in seen.looks}
            if seen.listed is not None:
                self._there = set(seen.listed)
                self._times["listed_at"] = heard
                self._log.info("source.listed", objects=len(seen.listed))
            elif seen.gone:
                self._there -= ids
            else:
                self._there |= ids
        if self._times and not written[-1].amid:
            self._times["seen_at"] = heard
            self.problem = None


def _merged(together: Iterable[Seen]) -> list[Seen]:
    """Neighbouring events of one sort as one, so that many of them cost a statement each and not many."""
    found: list[Seen] = []
    for one in together:
        if found and one.listed is None and found[-1].listed is None and one.gone == found[-1].gone:
            found[-1] = Seen(looks=found[-1].looks + one.looks, gone=one.gone)
        else:
            found.append(one)
    return found
