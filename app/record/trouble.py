"""What the database's errors mean: try again, bring the schema up to date, or a fault of ours."""

import errno
import os
import re
import sqlite3

import psycopg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

TOO_SLOW = "57014"  # The statement timeout, or an administrator who cancels a statement.
READ_ONLY = "25006"  # The server is a standby now: another one has its place.
# Classes: the connection, its resources, an operator who intervenes. Of the others what passes by itself:
# conflicts, limits of time, a transaction that idled, a failing disk, and a unique key that somebody has just
# taken, which the next look sees.
_CLASSES = ("08", "53", "57P")
_STATES = frozenset({"40001", "40003", "40P01", "55P03", "25P03", "58030", "23505", READ_ONLY, TOO_SLOW})
# Of these, what concerns the rows of one statement: another one may go well at the same moment.
LOCAL = frozenset({"40001", "40P01", "55P03", "23505", TOO_SLOW})
_PROTOCOL_VIOLATION = "08P01"  # Poolers say so of whatever they refuse: it will be refused again.
_DISK_FULL, _SQLITE_FULL = "53100", 13
_UNKNOWN_NAMES = frozenset({"42P01", "42703"})  # No such table, no such column.
# Of SQLite: busy, locked, memory, read-only, interrupted, disk, full, cannot open, protocol, schema changed.
_SQLITE_CODES = frozenset({5, 6, 7, 8, 9, 10, 13, 14, 15, 17})
_SQLITE_BUSY = frozenset({5, 6})
_SQLITE_UNKNOWN_NAME = re.compile(r"no such (table|column)|has no column named")
# What this process or this machine has run out of; closing something makes room.
EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EAGAIN})
# libpq puts two blanks after the severity of what a server said, in every language.
_REFUSED = re.compile(r"\bfailed: \S+?\s?:  (?P<said>[^\n]+)")

Caught = (DBAPIError, sqlite3.Error, psycopg.Error, OSError)


class ConnectionClosed(psycopg.OperationalError):
    """The connection is closed, whatever was said last."""


def sqlstate(error: BaseException) -> str | None:
    """The code of PostgreSQL's error, when it has one."""
    state: str | None = getattr(getattr(error, "orig", error), "sqlstate", None)
    return state


def is_transient(error: BaseException) -> bool:
    """Whether the same may go well in a moment."""
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, OSError):
        return cause.errno in EXHAUSTED
    if isinstance(cause, sqlite3.Error):
        return _sqlite_code(error) in _SQLITE_CODES
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    state = sqlstate(error)
    if state is not None:
        return state in _STATES or (state.startswith(_CLASSES) and state != _PROTOCOL_VIOLATION)
    return isinstance(
        error, OperationalError | InterfaceError | psycopg.OperationalError | psycopg.InterfaceError
    )


def is_behind(error: BaseException) -> bool:
    """Whether a table or a column is not there: the schema is another release's."""
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, sqlite3.Error):
        return _SQLITE_UNKNOWN_NAME.search(str(cause)) is not None
    return sqlstate(error) in _UNKNOWN_NAMES


def is_full(error: BaseException) -> bool:
    """Whether the disk of the database is full."""
    return _sqlite_code(error) == _SQLITE_FULL or sqlstate(error) == _DISK_FULL


def is_busy(error: BaseException) -> bool:
    """Whether others kept writing to a file of SQLite for as long as we waited."""
    return _sqlite_code(error) in _SQLITE_BUSY


def refusal(error: BaseException) -> str | None:
    """Why a server, or a pooler before it, does not let us in; None when nobody answered at all."""
    found = _REFUSED.search(str(getattr(error, "orig", None) or error))
    return found["said"].strip() if found else None


def is_exhausted(error: BaseException) -> bool:
    """Whether this process or machine has nothing left to open a connection with; drivers rarely say so."""
    if getattr(error, "errno", None) in EXHAUSTED:
        return True
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as problem:
        return problem.errno in EXHAUSTED
    return False


def _sqlite_code(error: BaseException) -> int | None:
    """The primary code of SQLite's error, when it is one; 0 when it says none."""
    cause = getattr(error, "orig", None) or error
    return (getattr(cause, "sqlite_errorcode", 0) or 0) & 0xFF if isinstance(cause, sqlite3.Error) else None
