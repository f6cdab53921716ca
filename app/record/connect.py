"""How connections are opened: limits of PostgreSQL's sessions, poolers in between, pragmas of SQLite.

A pooler that lends server connections by the transaction (PgBouncer's transaction mode) knows no session: it
refuses or drops what is asked for at the start, mixes up prepared statements, and whatever one client sets
for its session the next one finds. Behind one, nothing is prepared and limits are set in each transaction.
Whether there is one shows at the first connection: a pooler tells a process number of its own.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event

_UNSUPPORTED = "unsupported startup parameter"  # How PgBouncer refuses options.


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long one statement may take, and how long it may wait for what somebody else holds.

    0 is without a limit. SQLite has no limit for statements, and one lock, the right to write.
    """

    statement_ms: int = 0
    lock_ms: int = 0
    busy_ms: int = 20_000  # The wait for the right to write on SQLite.
    idle_ms: int = 10_000  # Between two statements of a transaction, while its locks are held.


class Way:
    """How this process reaches PostgreSQL; what is found at the first connection holds for all."""

    def __init__(self, limits: Limits) -> None:
        wanted = {
            "idle_in_transaction_session_timeout": limits.idle_ms,
            "statement_timeout": limits.statement_ms,
            "lock_timeout": limits.lock_ms,
        }
        self._options = " ".join(f"-c {name}={value}" for name, value in wanted.items())
        self._local = "; ".join(f"SET LOCAL {name} = {value}" for name, value in wanted.items())
        self.pooled: bool | None = None

    def connect(self, dialect: Any, _record: Any, args: Any, wanted: dict[str, Any]) -> Any:
        """Open a connection for SQLAlchemy."""
        if not self.pooled:
            try:
                connection = dialect.connect(*args, **{**wanted, "options": self._with(wanted)})
            except psycopg.OperationalError as error:
                if _UNSUPPORTED not in str(error):
                    raise
            else:
                if self.pooled is None:
                    self.pooled = _is_pooled(connection)
                if not self.pooled:
                    return connection
                connection.close()
            self.pooled = True
        return dialect.connect(*args, **wanted, prepare_threshold=None)

    def begin(self, connection: Connection) -> None:
        """Set the limits of a transaction that goes through a pooler."""
        if self.pooled and self._local:
            connection.exec_driver_sql(self._local)

    def cursor(self, driver: Any) -> Any:
        """A cursor whose every statement is a transaction of its own, with numbered placeholders."""
        driver.autocommit = True
        if not self.pooled:
            # These statements ask by keys and by indexes that fit them, so their values make no other plan.
            # Left to itself PostgreSQL plans some of them anew each time, which takes longer than the rest.
            driver.execute(b"SET plan_cache_mode = force_generic_plan")
        if not self.pooled or not self._local:
            return psycopg.RawCursor(driver)
        cursor = _Pooled(driver)
        cursor.before = f"BEGIN; {self._local}".encode()
        return cursor

    def _with(self, wanted: Mapping[str, Any]) -> str:
        """Ours after the operator's own, who may have named others in the URL."""
        return f"{wanted.get('options', '')} {self._options}".strip()


class _Pooled(psycopg.RawCursor[Any]):
    """Sets the limits for each of its statements."""

    before: bytes

    def execute(self, query: Any, params: Any = None, **how: Any) -> Any:
        self.connection.execute(self.before)
        try:
            super().execute(query, params, **how)
        except BaseException:
            with suppress(psycopg.Error):
                self.connection.execute(b"ROLLBACK")
            raise
        self.connection.execute(b"COMMIT")
        return self


def _is_pooled(connection: Any) -> bool:
    try:
        (serving,) = connection.execute("SELECT pg_backend_pid()").fetchone()
        return bool(serving != connection.info.backend_pid)
    finally:
        connection.rollback()


def postgres(url: Any, way: Way) -> Engine:
    """The connections to PostgreSQL."""
    engine = create_engine(
        url,
        connect_args={
            "connect_timeout": 5,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 15_000,
        },
        json_serializer=dump,
        pool_size=5,
        max_overflow=15,
        pool_use_lifo=True,
    )
    event.listen(engine, "do_connect", way.connect)
    event.listen(engine, "begin", way.begin)

    @event.listens_for(engine, "handle_error")
    def closed(context: Any) -> None:
        """A closed connection is one, whichever class of error it was closed with."""
        pooled = context.connection and context.connection.connection
        if pooled and getattr(pooled.dbapi_connection, "closed", False):
            context.is_disconnect = True

    return engine


def sqlite(url: Any, limits: Limits) -> Engine:
    """The connections to SQLite."""
    busy = f"busy_timeout={limits.busy_ms}"
    engine = create_engine(
        url,
        connect_args={"timeout": limits.busy_ms / 1000, "isolation_level": None, "check_same_thread": False},
        json_serializer=dump,
        pool_size=10,
        max_overflow=20,
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", busy, "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        if not driver.in_transaction:
            driver.execute("BEGIN")

    return engine


def dump(value: Any) -> str:
    """A JSON value as it is stored."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
