"""Fresh, migrated databases for the tests: copied from a template, which is made once."""

import sqlite3
from contextlib import closing
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from app.record import migrate, turns
from tests.support.servers import Postgres

MANY = 2_000  # Rows of a table whose traces would be felt by the next test.
_NUMBERS = count(1)
_SESSIONS = "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname"


@cache
def migrated() -> bytes:
    """A migrated SQLite file, for all tests of this process."""
    with TemporaryDirectory() as folder:
        template = Path(folder) / "template.db"
        migrate.upgrade(f"sqlite:///{template}")
        with closing(sqlite3.connect(template)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # The file alone is the database.
        return template.read_bytes()


class SqliteDatabases:
    """SQLite files copied from a migrated one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def fresh(self) -> str:
        """The URL of a new database."""
        path = self._folder / f"test{next(_NUMBERS)}.db"
        path.write_bytes(migrated())
        return f"sqlite:///{path}"

    def drop(self, url: str) -> None:
        """Delete a database."""
        path = Path(url.removeprefix("sqlite:///"))
        for suffix in ("", "-wal", "-shm", turns.SUFFIX):
            path.with_name(path.name + suffix).unlink(missing_ok=True)


# Deletes all rows, and returns what of the database could still differ from the template: -1 after many rows.
EMPTIED = f"""
CREATE FUNCTION pg_temp.emptied() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE name text; rows bigint; many bool := false;
BEGIN
  SET LOCAL session_replication_role = replica;  -- Foreign keys are no obstacle.
  FOR name IN SELECT tablename FROM pg_tables
      WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
    EXECUTE format('DELETE FROM %I', name);
    GET DIAGNOSTICS rows = ROW_COUNT;
    many := many OR rows > {MANY};
  END LOOP;
  FOR name IN SELECT sequencename FROM pg_sequences
      WHERE schemaname = 'public' AND last_value IS NOT NULL LOOP
    EXECUTE format('ALTER SEQUENCE %I RESTART', name);
  END LOOP;
  RETURN CASE WHEN many THEN -1 ELSE (
    (SELECT count(*) FROM pg_class) * 1000003 + (SELECT count(*) FROM pg_attribute) * 1009
    + (SELECT sum(hashtext(c.relname || a.attname || a.atttypid || a.attnotnull))
       FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
       WHERE c.relnamespace = 'public'::regnamespace)
    + (SELECT count(*) FROM pg_statistic) * 31 + (SELECT count(*) FROM pg_trigger)
    + (SELECT count(*) FROM pg_constraint) * 7 + (SELECT count(*) FROM pg_db_role_setting) * 101
  ) END;
END $$;
SELECT pg_temp.emptied();
"""


class PostgresDatabases:
    """PostgreSQL databases created from a migrated template.

    One that a test has used is emptied and given to the next test under a new name, which takes a tenth of
    the time of a new one. It is deleted instead when the test changed more than a few rows, the schema or
    the statistics. Clients that were connected are disconnected, and find nothing under the name they know.
    """

    def __init__(self, server: Postgres) -> None:
        self._server = server
        self._template = f"template_windlass_{next(_NUMBERS)}"
        self._used: list[str] = []
        server.execute(f"CREATE DATABASE {self._template}")
        migrate.upgrade(_with_driver(server.database(self._template)))
        self._state = self._emptied(self._template)

    def fresh(self) -> str:
        """The URL of a new database."""
        name = f"test{next(_NUMBERS)}"
        if self._used:
            self._server.execute(f"ALTER DATABASE {self._used.pop()} RENAME TO {name}")
        else:
            self._server.execute(f"CREATE DATABASE {name} TEMPLATE {self._template}")
        return _with_driver(self._server.database(name))

    def drop(self, url: str) -> None:
        """Take a database back, also from clients that are still connected."""
        name = url.rpartition("/")[2]
        self._server.execute(f"SELECT pg_terminate_backend(pid, 5000) {_SESSIONS} = '{name}'")
        try:
            same = self._emptied(name) == self._state
        except psycopg.Error:  # The test has deleted it, or what is in it cannot be deleted.
            same = False
        if same:
            self._used.append(name)
        else:
            self._server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _emptied(self, name: str) -> int:
        with psycopg.connect(self._server.database(name), connect_timeout=10) as connection:
            connection.execute("SET lock_timeout = '2s'")
            cursor = psycopg.ClientCursor(connection)
            cursor.execute(EMPTIED)
            while cursor.nextset():
                pass
            found = cursor.fetchone()
            assert found is not None
            return int(found[0])


def _with_driver(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://", 1)
