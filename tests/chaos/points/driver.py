"""Failpoints around statements and commits, at the drivers: nothing above them can be rewritten past these.

* ``sql.statement`` may fail with the SQLSTATE of its arm: PostgreSQL itself raises it, so that transaction
  and connection are in the state that a real failure leaves behind. On SQLite the database "is locked".
* ``sql.commit`` fails likewise, after the transaction was rolled back.
* ``X.before-commit`` and ``X.after-commit``, where X is the transition that this thread is in (`within`), and
  only for commits of transactions that have written something.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from tests.chaos.points.acts import due, passed

WRITING = ("INSERT", "UPDATE", "DELETE")
RAISE = "DO $$ BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = '{}'; END $$"


class _Now(threading.local):
    """What this thread is doing."""

    transition = ""
    wrote = False


_NOW = _Now()


@contextmanager
def within(transition: str) -> Iterator[None]:
    """A transition begins; it ends with its commit, which may come after this block."""
    _NOW.transition, before = transition, _NOW.transition
    try:
        yield
    except BaseException:
        _NOW.transition = before
        raise


@contextmanager
def committing() -> Iterator[None]:
    """A commit: points before and after it, when a transition has written something."""
    transition, wrote = _NOW.transition, _NOW.wrote
    counts = bool(transition) and wrote
    if counts:
        passed(f"{transition}.before-commit")
    yield
    _NOW.wrote = False
    if counts:
        _NOW.transition = ""
        passed(f"{transition}.after-commit")


def writes(statement: str) -> bool:
    """Whether a statement changes anything, common table expressions included."""
    upper = statement.upper()
    return not upper.lstrip().startswith("SELECT") and any(word in upper for word in WRITING)


def postgres(psycopg: ModuleType) -> None:
    """Put the points into psycopg, once it is imported."""
    cursor, connection = psycopg.Cursor, psycopg.Connection
    execute, executemany, commit = cursor.execute, cursor.executemany, connection.commit

    def around(run: Callable[..., Any]) -> Callable[..., Any]:
        def instead(self: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
            text = query.decode() if isinstance(query, bytes) else str(query)
            takes_back = text.startswith("ROLLBACK")  # No server answers that with a conflict.
            arm = None if takes_back else due("sql.statement", sql=text)
            if arm is not None:
                return execute(self, RAISE.format(arm.action))
            _NOW.wrote = _NOW.wrote or writes(text)
            if not (self.connection.autocommit and writes(text)):
                return run(self, query, *args, **kwargs)
            with committing():
                return run(self, query, *args, **kwargs)

        return instead

    def commit_instead(self: Any) -> Any:
        arm = due("sql.commit") if _NOW.wrote else None
        if arm is not None:
            self.rollback()
            raise psycopg.errors.lookup(arm.action)("injected")
        with committing():
            return commit(self)

    cursor.execute, cursor.executemany = around(execute), around(executemany)
    connection.commit = commit_instead


class _Cursor(sqlite3.Cursor):
    """Passes the points of each statement."""

    def execute(self, sql: str, *args: Any) -> Any:
        _check("sql.statement", sql)
        _NOW.wrote = _NOW.wrote or writes(sql)
        if sql.strip().upper().startswith("COMMIT"):
            _check_commit()
            with committing():
                return super().execute(sql, *args)
        return super().execute(sql, *args)

    def executemany(self, sql: str, *args: Any) -> Any:
        _check("sql.statement", sql)
        _NOW.wrote = _NOW.wrote or writes(sql)
        return super().executemany(sql, *args)


class _Connection(sqlite3.Connection):
    """Hands out cursors that pass points."""

    def cursor(self, factory: Any = _Cursor) -> Any:
        return super().cursor(factory)

    def execute(self, sql: str, *args: Any) -> Any:
        return self.cursor().execute(sql, *args)

    def commit(self) -> None:
        if not self.in_transaction:
            return
        _check_commit()
        with committing():
            super().commit()


def sqlite() -> None:
    """Put the points into sqlite3."""
    from sqlite3 import dbapi2

    connect = dbapi2.connect

    def instead(*args: Any, **kwargs: Any) -> Any:
        return connect(*args, **{"factory": _Connection, **kwargs})

    dbapi2.connect = sqlite3.connect = instead


def _check(point: str, sql: str) -> None:
    if due(point, sql=sql) is not None:
        busy = sqlite3.OperationalError("database is locked")
        busy.sqlite_errorcode = sqlite3.SQLITE_BUSY
        raise busy


def _check_commit() -> None:
    if _NOW.wrote:
        _check("sql.commit", "COMMIT")
