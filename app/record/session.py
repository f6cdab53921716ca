"""Connections and transactions: one `Database` a process, safe to use after a fork.

SQLite runs in WAL mode with ``synchronous=FULL`` and starts every writing transaction with
``BEGIN IMMEDIATE``: a transaction that began as a reader cannot be upgraded once another one committed.
Its writers come in the order in which they asked (`app.record.turns`).
PostgreSQL writes in READ COMMITTED with explicit row locks. `Database.write` repeats a whole transaction that
the database gave up on; every transition recognises its own earlier success, so a lost commit answer is safe.
"""

import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from copy import copy
from dataclasses import dataclass, field
from typing import Any, TypeVar, overload

import psycopg
from sqlalchemy import Connection, CursorResult, Engine, Executable, Table, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Row, make_url

from app.domain.errors import ConnectionRefused, Contended, SchemaBehind, Unavailable
from app.domain.json import JsonObject
from app.record import connect, trouble
from app.record.connect import Limits, dump
from app.record.remembered import Remembered
from app.record.turns import Turns, turns_of

__all__ = ["Database", "DuplicateKey", "Limits", "TakenBack", "Tx", "dump"]

T = TypeVar("T")
R = TypeVar("R")
NOW = {
    "sqlite": "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
}
# The same as the bound of an index: a clock that goes on during the statement would be asked row by row.
MOMENT = {dialect: f"(SELECT {now})" for dialect, now in NOW.items()}
DuplicateKey = psycopg.errors.UniqueViolation
TakenBack = psycopg.errors.InvalidTextRepresentation  # How a statement takes itself back.


class Tx:
    """One transaction of one tenant."""

    def __init__(self, connection: Connection, tenant: str) -> None:
        self.connection = connection
        self.tenant = tenant
        self.dialect = connection.dialect.name
        self._now: int | None = None

    def execute(self, statement: Executable, values: Any = None) -> CursorResult[Any]:
        """Run one statement."""
        return self.connection.execute(statement, values)

    @overload
    def rows(self, statement: Executable, values: Any = None) -> list[JsonObject]: ...

    @overload
    def rows(self, statement: Executable, values: Any = None, *, of: type[R]) -> list[R]: ...

    def rows(self, statement: Executable, values: Any = None, *, of: Any = None) -> Any:
        """All rows of a query as mappings; ``of`` says of which type (app.domain.rows)."""
        return [dict(row) for row in self.connection.execute(statement, values).mappings()]

    @overload
    def row(self, statement: Executable, values: Any = None) -> JsonObject | None: ...

    @overload
    def row(self, statement: Executable, values: Any = None, *, of: type[R]) -> R | None: ...

    def row(self, statement: Executable, values: Any = None, *, of: Any = None) -> Any:
        """The first row of a query as a mapping, or None."""
        found = self.connection.execute(statement, values).mappings().first()
        return None if found is None else dict(found)

    def value(self, statement: Executable, values: Any = None) -> Any:
        """The first column of the first row of a query, or None."""
        found: Row[Any] | None = self.connection.execute(statement, values).first()
        return None if found is None else found[0]

    def insert(self, table: Table) -> postgresql.Insert | sqlite.Insert:
        """An INSERT that knows `on_conflict_do_nothing` and `on_conflict_do_update`."""
        return postgresql.insert(table) if self.dialect == "postgresql" else sqlite.insert(table)

    def savepoint(self) -> AbstractContextManager[Any]:
        """A part of the transaction that is taken back by itself when it raises."""
        return self.connection.begin_nested()

    @property
    def now(self) -> int:
        """The database's clock, read once a transaction: milliseconds since 1970."""
        return self._now if self._now is not None else self.read_clock()

    def read_clock(self) -> int:
        """The clock as it is now: for whoever has waited for another transaction, and follows it."""
        self._now = int(self.value(text(f"SELECT {NOW[self.dialect]}")))
        return self._now


@dataclass
class _Pool:
    """The connections of one process, which all tenants share."""

    engine: Engine | None = None
    turns: Turns | None = None  # Of those who write to SQLite.
    pid: int = 0
    idle: list[Any] = field(default_factory=list)  # Cursors of connections that commit by themselves.


class Database:
    """The way into SQL for one process and its later children; ``dialect`` is postgresql or sqlite."""

    def __init__(self, url: str, tenant: str = "default", *, limits: Limits | None = None) -> None:
        self.url = make_url(url)
        self.tenant = tenant
        self.dialect = self.url.get_backend_name()
        self._limits = limits or Limits()
        self._way = connect.Way(self._limits)
        self._pool = _Pool()
        self._remembered = Remembered()

    def for_tenant(self, tenant: str) -> "Database":
        """The same database as another tenant sees it: one pool, nothing that this one remembers.

        Disposing of one closes the connections of all; each makes them anew when it is used again.
        """
        seen = copy(self)
        seen.tenant, seen._remembered = tenant, Remembered()
        return seen

    @property
    def engine(self) -> Engine:
        """The engine of this process; a forked child gets its own and leaves the parent's sockets alone."""
        if self._pool.engine is None or self._pool.pid != os.getpid():
            if self._pool.engine is not None:
                # The parent's sockets are open in the child as well: closing them here would say goodbye in
                # the parent's name.
                self._pool.engine.dispose(close=False)
                self._pool.idle = []
            if self.dialect == "sqlite":
                self._pool.engine = connect.sqlite(self.url, self._limits)
                self._pool.turns = turns_of(self.url.database)
            else:
                self._pool.engine = connect.postgres(self.url, self._way)
            self._pool.pid = os.getpid()
        return self._pool.engine

    @contextmanager
    def _connected(self, engine: Engine) -> Iterator[Connection]:
        """A connection of the pool; closed at the end when all were closed while it was out."""
        with engine.connect() as connection:
            try:
                yield connection
            finally:
                if self._pool.engine is not engine and not connection.invalidated:
                    connection.detach()

    @contextmanager
    def transaction(self) -> Iterator[Tx]:
        """A writing transaction, committed at the end."""
        engine = self.engine  # Its turns are made with it.
        if self._pool.turns is None:
            with self._connected(engine) as connection, connection.begin():
                yield Tx(connection, self.tenant)
            return
        # Who waits for a turn needs no connection yet.
        with (
            self._pool.turns.turn(self._limits.busy_ms / 1000) as until,
            self._connected(engine) as connection,
        ):
            # Before SQLAlchemy begins: its own BEGIN is deferred, and a reader that becomes a writer is
            # refused at once when another one has committed meanwhile.
            self._pool.turns.begin(connection.connection.driver_connection, until)
            with connection.begin():
                yield Tx(connection, self.tenant)

    @contextmanager
    def immediate(self, cursor: Any) -> Iterator[None]:
        """A writing transaction of a lent cursor on SQLite: committed at the end, unless rolled back."""
        assert self._pool.turns is not None
        with self._pool.turns.turn(self._limits.busy_ms / 1000) as until:
            self._pool.turns.begin(cursor.connection, until)
            try:
                yield
                if cursor.connection.in_transaction:
                    cursor.execute("COMMIT")
            finally:
                if cursor.connection.in_transaction:  # Something was raised.
                    cursor.execute("ROLLBACK")

    def writing(self, cursor: Any) -> AbstractContextManager[None]:
        """One statement of a lent cursor that writes: on SQLite in its turn, like all who write there."""
        return self.immediate(cursor) if self.dialect == "sqlite" else nullcontext()

    @contextmanager
    def reading(self) -> Iterator[Tx]:
        """A reading transaction: it sees one state and changes nothing."""
        with self._connected(self.engine) as connection:
            if self.dialect == "postgresql":  # Else every statement would see a state of its own.
                connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield Tx(connection, self.tenant)

    @contextmanager
    def _asking(self) -> Iterator[Tx]:
        with self._connected(self.engine) as connection:
            yield Tx(connection.execution_options(isolation_level="AUTOCOMMIT"), self.tenant)

    def ask(self, work: Callable[[Tx], T], *, patience_s: float = 1.0) -> T:
        """Put one question, whose statement is a transaction of its own: no round trips for its two ends."""
        alone = self.dialect == "postgresql" and not self._way.pooled
        return self._patiently(self._asking if alone else self.reading, work, patience_s)

    def write(self, work: Callable[[Tx], T], *, patience_s: float = 5.0) -> T:
        """Do the work in a transaction, again when the database gave up on it; then `Unavailable`."""
        return self._patiently(self.transaction, work, patience_s)

    def read(self, work: Callable[[Tx], T], *, patience_s: float = 1.0) -> T:
        """Do the reading in a transaction, again when the connection was lost; then `Unavailable`."""
        return self._patiently(self.reading, work, patience_s)

    def once(self, work: Callable[[Any], T], *, patience_s: float = 5.0) -> T:
        """Give the driver's own cursor to work whose every statement is a transaction of its own.

        For the few questions that are asked all day; the rest goes through `write` and `read`.
        """
        return self._patiently(lambda: _Lent(self), work, patience_s)

    def change(self, statement: str, values: Sequence[object]) -> int:
        """Run one statement that writes, in the driver's own spelling, as a transaction of its own.

        Returns how many rows it has written.
        """

        def at_once(cursor: Any) -> int:
            with self.writing(cursor):
                cursor.execute(statement, values)
                written: int = cursor.rowcount
            return written

        return self.once(at_once)

    def remembered(self, name: str, ask: Callable[[Tx], T], *, for_s: float = 60.0) -> T:
        """What a question was answered within the last minute: for hints that may be a little old."""
        return self._remembered.answer(name, lambda: self.read(ask), for_s)

    def forget(self, name: str) -> None:
        """Ask anew what was remembered."""
        self._remembered.forget(name)

    def dispose(self) -> None:
        """Close every connection."""
        if self._pool.engine is not None:
            self._pool.engine.dispose(close=self._pool.pid == os.getpid())
            self._pool.engine = None
            self.forget_idle()

    def forget_idle(self) -> None:
        """Close the connections that are kept for `once`."""
        with suppress(IndexError):
            while True:
                self._pool.idle.pop().connection.close()

    def _patiently(self, begin: Callable[[], Any], work: Callable[[Any], T], patience_s: float) -> T:
        give_up = time.monotonic() + patience_s
        wait = 0.02
        while True:
            try:
                with begin() as tx:
                    # A commit whose answer was lost looks like a failure, and the work is done again. So
                    # every piece of work recognises what it has done before: by an id, a key, a fence and
                    # nonce, or a version.
                    return work(tx)
            except trouble.Caught as error:
                self._judge(error)
                if time.monotonic() >= give_up:
                    raise _unavailable(error) from error
            time.sleep(wait * (0.5 + random.random()))
            wait = min(wait * 2, 1.0)

    def _judge(self, error: BaseException) -> None:
        """Return when the same may go well in a moment; else raise what it means."""
        if trouble.is_behind(error):
            raise SchemaBehind from error
        if not trouble.is_transient(error):
            raise error
        # Another server has taken over: connections to the old one would go on answering reads, and refuse
        # each write.
        if trouble.sqlstate(error) == trouble.READ_ONLY:
            self.dispose()


class _Lent:
    """A cursor of a connection that commits every statement by itself, kept for the next one who asks."""

    def __init__(self, db: Database) -> None:
        self._db, self._engine = db, db.engine

    def __enter__(self) -> Any:
        try:
            self._cursor = self._db._pool.idle.pop()
        except IndexError:
            self._cursor = self._fresh()
        return self._cursor

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is None:
            self._db._pool.idle.append(self._cursor)
            # All were closed while this one was lent. Looked at afterwards: whoever closes them just now
            # either finds this one among them, or is seen here.
            if self._db._pool.engine is not self._engine:
                self._db.forget_idle()
            return
        # Whatever went wrong with this connection may have happened to all.
        closed = getattr(self._cursor.connection, "closed", False)
        self._cursor.connection.close()
        self._db.forget_idle()
        if closed and isinstance(error, psycopg.Error):
            raise trouble.ConnectionClosed(str(error)) from error

    def _fresh(self) -> Any:
        pooled = self._engine.raw_connection()
        driver: Any = pooled.driver_connection
        pooled.detach()
        if self._db.dialect == "sqlite":
            return driver.cursor()
        return self._db._way.cursor(driver)


def _unavailable(error: BaseException) -> Unavailable:
    """What to tell of a database that was tried in vain."""
    state = trouble.sqlstate(error)
    if state == trouble.TOO_SLOW:
        return Contended(
            "The query exceeded the time limit of the database; use more filters, or try again later"
        )
    if state in trouble.LOCAL:
        return Contended(
            "Another transaction has locked a row that this one needs; nothing was changed, try again"
        )
    if trouble.is_full(error):
        return Unavailable("The disk of the database is full; nothing was changed, make room and try again")
    if trouble.is_busy(error):
        return Unavailable("Others write to the database all the time; nothing was changed, try again")
    said = trouble.refusal(error)
    if said is not None:
        return ConnectionRefused(said)
    if trouble.is_exhausted(error):
        return Unavailable(
            "This process has reached its limit of open files or connections; nothing was changed, try again"
        )
    # The last attempt may have been committed, its answer lost.
    return Unavailable("The database does not answer; a change may or may not have been made")
