"""What all workloads share: the servers as Debian ships them, fresh databases, Windlass's own processes."""

import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Self

import psycopg
import redis

from app.config import Settings, environment
from app.host import programs
from app.record import migrate
from tests.bench.candidates import CANDIDATES, Candidate
from tests.bench.knowing import knowing
from tests.bench.look import Look, PostgresLook, SqliteLook
from tests.bench.processes import ROOT, Running
from tests.bench.session import Session
from tests.support.ports import free_port
from tests.support.servers import KeyValue, Postgres, new_postgres, new_redis, new_valkey, remove

PEERS = ROOT / ".venv-bench" / "bin" / "python"
_NUMBERS = count(1)


class DurablePostgres(Postgres):
    """PostgreSQL as Debian configures it: fsync, full_page_writes and synchronous_commit are on."""

    tuning: Mapping[str, str] = {}


class VolatileRedis(KeyValue):
    """Redis that keeps nothing on disk, as the peers' guides run a broker; for Windlass the same."""

    def start(self) -> None:
        """Start empty."""
        options = ("--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder))
        self._launch([self.binary, *options, "--save", "", "--appendonly", "no"])


@dataclass(frozen=True, kw_only=True)
class Store:
    """A fresh database and an empty Redis or Valkey for one session."""

    url: str  # Of the database.
    redis_url: str
    servers: Mapping[str, int]  # Processes whose work belongs to the candidate's, by name.
    look: Callable[[], Look]


class Stage:
    """Servers, scratch folder and sessions of one benchmark."""

    def __init__(self, *, quick: bool, keep: bool = False, peers: Path = PEERS) -> None:
        """``quick`` asks for small sizes; ``keep`` leaves all logs; ``peers`` is the Python that has them."""
        self.quick = quick
        self.peers = peers
        self._keep = keep
        self.folder = Path(tempfile.mkdtemp(prefix="windlass-bench-"))
        self.postgres = new_postgres(DurablePostgres)
        stock = new_redis()
        self.redis = VolatileRedis(stock.binary, stock.folder)
        self.valkey = new_valkey()
        self._template = ""
        self._session: Session | None = None

    def __enter__(self) -> Self:
        self.postgres.start()
        self.redis.start()
        self.valkey.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close_session()
        remove(self.postgres)
        remove(self.redis)
        remove(self.valkey)
        if not self._keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def session(self, candidate: str, slots: int | None = None) -> Session:
        """The running session of a candidate, started and warm; a session of another is ended first.

        ``slots`` is how many steps may run at once; None takes the candidate's best settings.
        """
        if self._session is not None and self._session.serves(candidate, slots):
            return self._session
        return self.open(CANDIDATES[candidate], slots)

    def open(self, candidate: Candidate, slots: int | None = None) -> Session:
        """A new session, whichever the candidate is."""
        self.close_session()
        self._session = Session(self, candidate, slots)
        self._session.start()
        return self._session

    def close_session(self) -> None:
        """End the processes of the present session, so that nothing runs beside a measurement."""
        if self._session is not None:
            self._session.stop()
            self._session = None

    def database(self) -> str:
        """The URL of a fresh, empty PostgreSQL database."""
        name = f"bench{next(_NUMBERS)}"
        self.postgres.execute(f"CREATE DATABASE {name}")
        return self.postgres.database(name)

    def migrated(self) -> str:
        """The URL of a fresh PostgreSQL database with Windlass's schema."""
        if not self._template:
            self._template = self.database()
            migrate.upgrade(self._template.replace("postgresql:", "postgresql+psycopg:", 1))
        name = f"bench{next(_NUMBERS)}"
        self.postgres.execute(f"CREATE DATABASE {name} TEMPLATE {self._template.rpartition('/')[2]}")
        return self.postgres.database(name)

    def settings(self, database_url: str = "", **other: object) -> Settings:
        """Windlass's shipped settings on these servers, with a state folder of their own."""
        given: dict[str, object] = {
            "state_dir": str(self.folder / f"state{next(_NUMBERS)}"),
            "database_url": database_url or self.migrated(),
            "redis_url": self.redis.url,
            "port": free_port(),
            "keyless": True,
        }
        return Settings(**{**given, **other})  # type: ignore[arg-type]

    def worker_host(self, settings: Settings) -> Running:
        """`windlass worker` with all it starts; its processes know the benchmark's types."""
        return self.launch((sys.executable, "-m", "tests.bench.host"), environment(settings))

    def api(self, settings: Settings) -> Running:
        """`windlass api`; it knows the benchmark's types."""
        return self.launch(knowing(programs.api(settings)), environment(settings))

    def launch(self, argv: Sequence[str], env: Mapping[str, str], *, talks: bool = False) -> Running:
        """Any process, with a log in the stage's folder."""
        log = self.folder / f"process{next(_NUMBERS)}.log"
        return Running(argv, {**env, "PYTHONPATH": str(ROOT)}, log, talks=talks)

    def store(self, candidate: Candidate) -> Store:
        """Where a candidate keeps what it does: PostgreSQL and Redis, or SQLite and Valkey."""
        server: KeyValue = self.valkey if candidate.sqlite else self.redis
        with redis.Redis.from_url(server.url) as client:
            client.flushall()
        if not candidate.sqlite:
            url = self.migrated() if candidate.ours else self.database()
            return _store(url, server, {"postgres": self.postgres.pid}, lambda: PostgresLook(url))
        file = self.scratch() / "bench.db"
        if candidate.ours:
            migrate.upgrade(f"sqlite:///{file}")
        return _store(f"sqlite:///{file}", server, {}, lambda: SqliteLook(file))

    def scratch(self) -> Path:
        """A new folder for the caller."""
        folder = self.folder / f"scratch{next(_NUMBERS)}"
        folder.mkdir()
        return folder

    def versions(self) -> str:
        """Servers and the settings that durability hangs on, as they are in force."""
        with psycopg.connect(self.postgres.url) as connection:
            names = ("server_version", "fsync", "synchronous_commit", "wal_sync_method", "shared_buffers")
            shown = [connection.execute(f"SHOW {name}".encode()).fetchone() for name in names]
        found = {name: row[0] if row else "?" for name, row in zip(names, shown, strict=True)}
        with redis.Redis.from_url(self.redis.url) as client:
            server: Any = client.info("server")
        settings = ", ".join(f"{name} {found[name]}" for name in names[1:])
        broker = f"Redis {server['redis_version']} without a file"
        return f"PostgreSQL {found['server_version']} ({settings}), {broker}"

    def ask(self, database_url: str, question: str) -> int:
        """A number from a PostgreSQL database, asked from outside."""
        with psycopg.connect(database_url, autocommit=True) as connection:
            row = connection.execute(question.encode()).fetchone()
        return 0 if row is None else int(row[0])


def _store(url: str, server: KeyValue, more: Mapping[str, int | None], look: Callable[[], Look]) -> Store:
    servers = {name: pid for name, pid in {"redis": server.pid, **more}.items() if pid is not None}
    return Store(url=url, redis_url=server.url, servers=servers, look=look)
