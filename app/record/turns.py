"""Whose turn it is to write to a SQLite file: one after the other, in the order in which they asked.

SQLite has one lock for writers and no line before it. Who finds it taken sleeps, the longer the more often,
and whoever comes by meanwhile takes it: under a burst of writers some wait until their patience ends. So a
writer goes through two gates.

1. The writers of one process stand in a line; the next one is woken when a transaction is over.
2. The first of each process's line locks a file beside the database until it has SQLite's own lock. A
   process that has just committed finds the file locked by the one that waits, and cannot take two turns.

Nothing depends on the gates but the order: a writer that knows none of them meets SQLite's lock as ever. So a
process that stands still while it is next keeps nobody out: the others look past it after a second.
"""

import fcntl
import os
import sqlite3
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

PAUSE_S = 0.001  # Between two looks of who is next at SQLite's lock,
LONGER_S = 0.004  # and of the others at the lock that who is next has.
STILL_S, PASSING_S = 1.0, 0.02  # Before they look past who is next, at first, and while nothing has changed.
SUFFIX = "-turn"
BUSY = "database is locked"


class Turns:
    """The writers of one file in this process; get it by `turns_of`."""

    def __init__(self, path: str | None) -> None:
        self._guard = threading.Lock()
        self.line: deque[Any] = deque()  # A lock for each who stands in it; the first has its turn.
        self._passing = False  # Whether who is next was passed lately.
        self._file: int | None = None
        if path is not None:
            # Who may not write beside the database has the order within the process.
            with suppress(OSError):
                self._file = os.open(path + SUFFIX, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
                weakref.finalize(self, os.close, self._file)

    @contextmanager
    def turn(self, patience_s: float) -> Iterator[float]:
        """Wait for the turn in this process and keep it; gives the time when patience ends.

        Raises SQLite's own error for a lock that stays taken.
        """
        until = time.monotonic() + patience_s
        place = threading.Lock()
        place.acquire()
        try:
            with self._guard:
                self.line.append(place)
                mine = self.line[0] is place
            if not mine and not place.acquire(timeout=patience_s):
                raise _busy()
            yield until
        finally:
            self._leave(place)

    def begin(self, driver: Any, until: float) -> None:
        """Begin a writing transaction on a connection whose turn it is."""
        (usual,) = driver.execute("PRAGMA busy_timeout").fetchone()
        driver.execute("PRAGMA busy_timeout=0")  # Its sleeps are too long for who is next for certain.
        try:
            if self._file is None:
                _begin(driver, until)
            else:
                self._begin_next(self._file, driver, until)
        finally:
            driver.execute(f"PRAGMA busy_timeout={usual}")

    def _leave(self, place: Any) -> None:
        with self._guard:
            if place not in self.line:  # An alarm rang before it was there.
                return
            mine = self.line[0] is place
            self.line.remove(place)
            if mine and self.line:
                self.line[0].release()

    def _begin_next(self, file: int, driver: Any, until: float) -> None:
        """Be the only process that is about to begin, or pass the one that is and does not begin."""
        pass_at = time.monotonic() + (PASSING_S if self._passing else STILL_S)
        while not _locked(file):
            if time.monotonic() > pass_at and _has_begun(driver):
                self._passing = True
                return
            if time.monotonic() > until:
                raise _busy()
            time.sleep(LONGER_S)
        self._passing = False
        try:
            _begin(driver, until)
        finally:
            fcntl.lockf(file, fcntl.LOCK_UN)


_known: "weakref.WeakValueDictionary[tuple[int, str], Turns]" = weakref.WeakValueDictionary()


def turns_of(path: str | None) -> Turns:
    """The line of a file in this process; a child that was forked has its own. None: a database in memory."""
    if path is None:
        return Turns(None)
    key = (os.getpid(), os.path.realpath(path))
    found = _known.get(key)
    if found is None:
        found = _known[key] = Turns(key[1])
    return found


def _begin(driver: Any, until: float) -> None:
    while not _has_begun(driver):
        if time.monotonic() > until:
            raise _busy()
        time.sleep(PAUSE_S)


def _has_begun(driver: Any) -> bool:
    """Begin, unless somebody else writes."""
    try:
        driver.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True


def _locked(file: int) -> bool:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # Both mean that another process has it.
        return False
    return True


def _busy() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(BUSY)
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY
    return error
