"""Writers of one SQLite file come in the order in which they asked."""

import multiprocessing
import os
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from app.domain.errors import Unavailable
from app.record.session import Database, Limits, Tx
from app.record.turns import SUFFIX, turns_of
from tests.support.servers import until

SOON_S = 20.0


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path / 'order.db'}", limits=Limits(busy_ms=10_000))
    made.write(lambda tx: tx.execute(text("CREATE TABLE came (who TEXT)")))
    yield made
    made.dispose()


def noting(who: str) -> Callable[[Tx], object]:
    return lambda tx: tx.execute(text("INSERT INTO came VALUES (:who)"), {"who": who})


def write(url: str, who: str) -> None:
    """What another process does."""
    Database(url).write(noting(who))


def came(db: Database) -> list[str]:
    return [row["who"] for row in db.read(lambda tx: tx.rows(text("SELECT who FROM came ORDER BY rowid")))]


@contextmanager
def taken(db: Database) -> Iterator[None]:
    """SQLite's lock is somebody else's, who knows of no turns."""
    with closing(sqlite3.connect(str(db.url.database), isolation_level=None)) as stranger:
        stranger.execute("BEGIN IMMEDIATE")
        yield


def stands(db: Database, who: str, place: int) -> threading.Thread:
    """A thread that waits for its turn at this place of the line."""
    thread = threading.Thread(target=db.write, args=(noting(who),), daemon=True)
    thread.start()
    until(lambda: len(turns_of(db.url.database).line) == place, SOON_S, f"{who} stands in the line")
    return thread


def test_writers_of_a_process_come_in_the_order_in_which_they_asked(db: Database) -> None:
    names = [f"w{number}" for number in range(12)]

    with taken(db):
        threads = [stands(db, name, place) for place, name in enumerate(names, 1)]
    for thread in threads:
        thread.join(SOON_S)

    assert came(db) == names


def test_another_process_that_waits_is_next(db: Database) -> None:
    other = multiprocessing.get_context("spawn").Process(target=write, args=(str(db.url), "other"))
    path = Path(str(db.url.database) + SUFFIX)

    with taken(db):
        other.start()
        until(lambda: is_locked(path), SOON_S, "the other process is next")
        own = [stands(db, name, place) for place, name in enumerate(("first", "second"), 1)]
    other.join(SOON_S)
    for one in own:
        one.join(SOON_S)

    assert came(db) == ["other", "first", "second"]


def test_a_process_that_stands_still_while_it_is_next_keeps_nobody_out(db: Database) -> None:
    other = multiprocessing.get_context("spawn").Process(
        target=write, args=(str(db.url), "other"), daemon=True
    )
    with taken(db):
        other.start()
        path = Path(str(db.url.database) + SUFFIX)
        until(lambda: is_locked(path), SOON_S, "the other process is next")
        os.kill(other.pid or 0, signal.SIGSTOP)
    try:
        for name in ("first", "second"):
            db.write(noting(name), patience_s=0)
    finally:
        os.kill(other.pid or 0, signal.SIGCONT)
    other.join(SOON_S)

    assert came(db) == ["first", "second", "other"]


def test_whose_patience_ends_leaves_the_line(db: Database) -> None:
    hasty = Database(str(db.url), limits=Limits(busy_ms=50))

    with taken(db):
        patient = stands(db, "patient", 1)
        with pytest.raises(Unavailable, match="nothing was changed"):
            hasty.write(noting("hasty"), patience_s=0)
        behind = stands(db, "behind", 2)
    for thread in (patient, behind):
        thread.join(SOON_S)

    assert came(db) == ["patient", "behind"]


def test_who_failed_has_given_up_the_turn(db: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        db.write(lambda tx: 1 // 0)

    db.write(noting("next"), patience_s=0)
    assert came(db) == ["next"]


def test_the_order_within_a_process_needs_no_file(tmp_path: Path) -> None:
    nowhere = turns_of(str(tmp_path / "missing" / "order.db"))

    with nowhere.turn(1) as until_, closing(sqlite3.connect(":memory:", isolation_level=None)) as driver:
        nowhere.begin(driver, until_)
        assert driver.in_transaction


def is_locked(path: Path) -> bool:
    """Whether another process has locked the file; asked by the system's own list of locks."""
    inode = f":{path.stat().st_ino} "
    return any(inode in line and "WRITE" in line for line in Path("/proc/locks").read_text().splitlines())
