"""Disks without a byte left: under PostgreSQL's tables, under its log, under SQLite.

A database on its ordinary disk is moved to a small one for the time of the fault, which takes root.
"""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random
from typing import ClassVar

import psutil
import psycopg

from tests.chaos.fault import POSTGRES, SQLITE, Fault, Injection, Scope, register
from tests.chaos.faults import sqlite
from tests.chaos.faults.database import session
from tests.chaos.faults.disk import SmallDisk, owned
from tests.chaos.faults.processes import READY_S, inside, keeper, kill
from tests.chaos.faults.waiting import within
from tests.chaos.site import Site

SPARE_MB = 32
DOWN_S = 10.0  # A server whose log has no space left gives up within this.
SPACE = "chaos_small"


class DiskFull(Fault):
    """Something has no space left."""

    rows = ("RF11",)
    scope: ClassVar[Scope] = "database"
    alone = True
    lasts_s = (2.0, 8.0)

    def __init__(self) -> None:
        self._disk: SmallDisk | None = None

    def _mounted(self, folder: Path, megabytes: int) -> SmallDisk | None:
        disk = SmallDisk(folder)
        self._disk = disk if disk.mount(megabytes) else None
        return self._disk

    def _unmount(self) -> None:
        if self._disk is not None:
            self._disk.unmount()
            self._disk = None


@register
class TableDiskFull(DiskFull):
    """The disk of one table is full: its writes fail, everything else works."""

    name = "table-disk-full"
    backends = (POSTGRES,)

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """Move the events to a small disk and fill it."""
        assert site.postgres is not None
        with session(site) as direct:
            found = direct.execute("SELECT pg_table_size('event')").fetchone()
            megabytes = (int(found[0]) if found else 0) // 1_000_000 + SPARE_MB
            disk = self._mounted(site.postgres.folder / "small", megabytes)
            if disk is None:
                return None
            folder = owned(disk.folder / "space")
            direct.execute(f"CREATE TABLESPACE {SPACE} LOCATION '{folder}'".encode())
            direct.execute(f"ALTER TABLE event SET TABLESPACE {SPACE}".encode())
        return self.injection(f"the disk of the events is full: {disk.fill()} bytes of ballast")

    def heal(self, site: Site) -> None:
        """Free it, and move the events back."""
        if self._disk is None:
            return
        self._disk.free()
        with session(site) as direct:
            direct.execute("ALTER TABLE event SET TABLESPACE pg_default")
            direct.execute("CHECKPOINT")
            direct.execute(f"DROP TABLESPACE {SPACE}".encode())
        self._unmount()


@register
class LogDiskFull(DiskFull):
    """The disk of PostgreSQL's log is full: it gives up, and cannot start until there is space."""

    name = "log-disk-full"
    backends = (POSTGRES,)

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """Move the log to a small disk, fill it, and write until the server is down."""
        assert site.postgres is not None
        log = site.postgres.folder / "data" / "pg_wal"
        size = sum(one.stat().st_size for one in log.rglob("*") if one.is_file())
        disk = self._mounted(site.postgres.folder / "small", size // 1_000_000 + SPARE_MB)
        if disk is None:
            return None
        site.postgres.stop()
        _moved(log, owned(disk.folder / "log"))
        log.symlink_to(disk.folder / "log")
        site.postgres.start()
        disk.fill()
        if not within(DOWN_S, lambda: _is_down(site)):
            self.heal(site)
            return None
        return self.injection("the disk of PostgreSQL's log is full, and it gave up")

    def heal(self, site: Site) -> None:
        """Free it, start the server, and move its log back."""
        if self._disk is None or site.postgres is None:
            return
        self._disk.free()
        site.postgres.kill()
        site.postgres.start()  # Its own recovery, with nothing but space given to it.
        site.postgres.stop()
        log = site.postgres.folder / "data" / "pg_wal"
        log.unlink()
        _moved(self._disk.folder / "log", owned(log))
        site.postgres.start()
        self._unmount()


@register
class SqliteDiskFull(DiskFull):
    """The disk of SQLite is full: no transaction can be committed."""

    name, backends = "sqlite-disk-full", (SQLITE,)
    scope = "site"  # Whose processes are all killed for the move.

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """Move the database to a small disk, which takes a restart of all processes, and fill it."""
        path = Path(sqlite.path(site))
        sizes = [one.stat().st_size for one in path.parent.glob(f"{path.name}*")]
        disk = self._mounted(site.folder / "small", sum(sizes) // 1_000_000 + SPARE_MB)
        if disk is None:
            return None
        with _Stopped(site):
            link = path.with_suffix(".moving")
            link.symlink_to(shutil.copy(path, disk.folder / path.name))
            link.replace(path)
        if not within(READY_S, site.is_ready):
            self.heal(site)
            return None
        return self.injection(f"the disk of SQLite is full: {disk.fill()} bytes of ballast")

    def heal(self, site: Site) -> None:
        """Free it, and move the database back."""
        if self._disk is None:
            return
        path = Path(sqlite.path(site))
        self._disk.free()
        with _Stopped(site):
            Path(shutil.copy(path.resolve(), path.with_suffix(".moving"))).replace(path)
        within(READY_S, site.is_ready)  # It was stopped for the move alone: the fault lasts until it is back.
        self._unmount()


class _Stopped:
    """A site whose processes are all killed, and start again afterwards.

    Its database is one complete file meanwhile: the clients' own threads go on reading, and would make a new
    one where they find none.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._keeper: psutil.Process = keeper(site)

    def __enter__(self) -> None:
        self._keeper.suspend()
        psutil.wait_procs([psutil.Process(pid) for pid in kill(inside(self._site))], 5)
        with closing(sqlite3.connect(sqlite.path(self._site), timeout=READY_S)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def __exit__(self, *_exc: object) -> None:
        self._site.db.dispose()  # What was read before belongs to the file that was there before.
        self._keeper.resume()


def _is_down(site: Site) -> bool:
    """Whether the server has given up; until then it is made to begin another piece of its log."""
    try:
        with session(site) as direct:
            direct.execute("SELECT pg_switch_wal(), txid_current()")
    except psycopg.OperationalError:
        assert site.postgres is not None
        return not site.postgres.answers()
    return False


def _moved(source: Path, target: Path) -> None:
    """Move what is in one folder to another, with its owners."""
    for one in sorted(source.rglob("*")):
        copy = target / one.relative_to(source)
        if one.is_dir():
            copy.mkdir(exist_ok=True)
        else:
            shutil.copy(one, copy)
        os.chown(copy, one.stat().st_uid, one.stat().st_gid)
        copy.chmod(one.stat().st_mode)
    shutil.rmtree(source)
