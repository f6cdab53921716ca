"""SQLite locked by another process, its writer killed in a transaction."""

import subprocess
import sys
import threading
from contextlib import closing, suppress
from random import Random

from tests.chaos.fault import SQLITE, Fault, Injection, register
from tests.chaos.site import Site

WRITERS = 3
# Writes so much that pages spill into the log before any commit, prints a word, and waits to be killed.
WRITER = """
import sqlite3, sys, threading
db = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
db.execute("PRAGMA journal_mode=WAL")
db.execute("PRAGMA cache_size=2")
db.execute("PRAGMA cache_spill=1")
db.execute("BEGIN IMMEDIATE")
db.execute("CREATE TABLE IF NOT EXISTS chaos (n INTEGER PRIMARY KEY, filler TEXT)")
db.executemany("INSERT INTO chaos (filler) VALUES (?)", [("x" * 2000,)] * 500)
db.execute("UPDATE step SET status = 'completed', output = NULL")
print("written", flush=True)
threading.Event().wait(60)
"""
# Holds the write lock most of the time, so that all others queue up.
STORM = """
import sqlite3, sys, threading
db = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
while True:
    db.execute("BEGIN IMMEDIATE")
    print("locked", flush=True)
    threading.Event().wait(float(sys.argv[2]))
    db.execute("ROLLBACK")
"""


def path(site: Site) -> str:
    """The file of the site's database."""
    return str(site.db.url.database)


class OnSqlite(Fault):
    """Something that is done to SQLite."""

    backends = (SQLITE,)
    scope = "database"


@register
class DatabaseLocked(OnSqlite):
    """Others hold the write lock again and again: "database is locked"."""

    name, rows = "database-locked", ("RF12", "AF4")
    lasts_s = (3.0, 15.0)

    def __init__(self) -> None:
        self._storm: list[subprocess.Popen[str]] = []

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """Start some that want the lock as much as the service does."""
        holds = rng.choice(("0.2", "1.0", "3.0"))
        self._storm = [_started(STORM, path(site), holds)]
        if not _prints(self._storm[0], "locked"):
            self.heal(site)
            return None
        self._storm += [_started(STORM, path(site), holds) for _ in range(WRITERS - 1)]
        return self.injection(f"{WRITERS} others hold the write lock for {holds} s each")

    def heal(self, site: Site) -> None:
        """End them."""
        for one in self._storm:
            _ended(one)
        self._storm = []


@register
class DatabaseHeld(DatabaseLocked):
    """Another process holds the write lock for longer than any client waits."""

    name, rows = "database-held", ("RF12", "BF5")
    lasts_s = (10.0, 30.0)

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """Start one that does not let go."""
        self._storm = [_started(STORM, path(site), "3600")]
        if not _prints(self._storm[0], "locked"):
            self.heal(site)
            return None
        return self.injection("somebody holds the write lock")


@register
class WriterKilled(OnSqlite):
    """A writer dies in the middle of a transaction of which half is in the log already."""

    name, rows = "writer-killed", ("RF12", "BF5")
    weight = 2.0

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """Write, then kill -9."""
        writer = _started(WRITER, path(site))
        written = _prints(writer, "written")
        _ended(writer)
        return self.injection(f"killed writer {writer.pid} in a transaction") if written else None


def _started(program: str, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", program, *words], stdout=subprocess.PIPE, text=True)


def _prints(process: "subprocess.Popen[str]", word: str) -> bool:
    """Whether it prints the word within half a minute."""
    assert process.stdout is not None
    late = threading.Timer(30, process.kill)
    late.start()
    with suppress(ValueError):
        line = process.stdout.readline().strip()
    late.cancel()
    return line == word


def _ended(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.wait(10)
    if process.stdout is not None:
        with closing(process.stdout):
            pass
