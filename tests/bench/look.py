"""Looks into a candidate's database from outside: counts what is recorded, and what was committed."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Protocol

import psycopg

WRITES = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"  # The next writing transaction.


class Look(Protocol):
    """Questions to a database that have a number as their answer."""

    def ask(self, question: str) -> int:
        """The number; 0 when there is none."""

    def written(self) -> int | None:
        """How many transactions changed something so far; None when it is unknown."""

    def close(self) -> None:
        """Look no more."""


class PostgresLook:
    """One connection, which commits at once."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)

    def ask(self, question: str) -> int:
        """The number; 0 when there is none."""
        row = self._connection.execute(question.encode()).fetchone()
        return int(row[0]) if row else 0

    def written(self) -> int:
        """Transaction ids that were given out, in the whole server."""
        return self.ask(WRITES)

    def close(self) -> None:
        """Look no more."""
        self._connection.close()


class SqliteLook:
    """One connection that only reads."""

    def __init__(self, file: Path) -> None:
        self._connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=20)

    def ask(self, question: str) -> int:
        """The number; 0 when there is none."""
        with closing(self._connection.execute(question)) as cursor:
            row = cursor.fetchone()
        return int(row[0]) if row else 0

    def written(self) -> None:
        """SQLite does not count its transactions."""

    def close(self) -> None:
        """Look no more."""
        self._connection.close()
