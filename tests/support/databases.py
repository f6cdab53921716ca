"""Fresh, migrated databases for the tests: copied from a template, which is made once."""

import sqlite3
from itertools import count
from pathlib import Path

from app.record import migrate
from tests.support.servers import Postgres

_NUMBERS = count(1)


class SqliteDatabases:
    """SQLite files copied from a migrated one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._template = folder / "template.db"
        migrate.upgrade(f"sqlite:///{self._template}")

    def fresh(self) -> str:
        """The URL of a new database."""
        path = self._folder / f"test{next(_NUMBERS)}.db"
        with sqlite3.connect(self._template) as source, sqlite3.connect(path) as copy:
            source.backup(copy)
        source.close()
        copy.close()
        return f"sqlite:///{path}"

    def drop(self, url: str) -> None:
        """Delete a database."""
        path = Path(url.removeprefix("sqlite:///"))
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)


class PostgresDatabases:
    """PostgreSQL databases created from a migrated template."""

    def __init__(self, server: Postgres) -> None:
        self._server = server
        self._template = f"template_windlass_{next(_NUMBERS)}"
        server.execute(f"CREATE DATABASE {self._template}")
        migrate.upgrade(_with_driver(server.database(self._template)))

    def fresh(self) -> str:
        """The URL of a new database."""
        name = f"test{next(_NUMBERS)}"
        self._server.execute(f"CREATE DATABASE {name} TEMPLATE {self._template}")
        return _with_driver(self._server.database(name))

    def drop(self, url: str) -> None:
        """Delete a database, whoever is still connected."""
        self._server.execute(f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]} WITH (FORCE)")


def _with_driver(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://", 1)
