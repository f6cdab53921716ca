"""PostgreSQL stopped hard, stalled, locked, cut off, and a commit whose answer is lost."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from random import Random
from typing import Any, ClassVar, Literal

import psutil
import psycopg
from psycopg.rows import TupleRow

from tests.chaos.fault import POSTGRES, Fault, Injection, Setting, register
from tests.chaos.faults.apart import DatabaseProxy
from tests.chaos.faults.proxy import CLEAR, Weather
from tests.chaos.faults.waiting import within
from tests.chaos.site import Site

HIT_S = 2.0  # How long a strike waits for a statement that it may hit.
SESSIONS = "SELECT pid FROM pg_stat_activity WHERE datname = 'windlass' AND pid <> pg_backend_pid()"


def postmaster(site: Site) -> list[psutil.Process]:
    """PostgreSQL and all its processes."""
    if site.postgres is None:
        return []
    words = str(site.postgres.folder)
    heads = [one for one in psutil.Process().children() if words in " ".join(one.cmdline())]
    return [process for head in heads for process in [head, *head.children(recursive=True)]]


@contextmanager
def session(site: Site) -> Iterator[psycopg.Connection[TupleRow]]:
    """A connection past every proxy; every statement is a transaction."""
    assert site.postgres is not None
    with psycopg.connect(site.postgres.database("windlass"), autocommit=True) as made:
        yield made


class OnPostgres(Fault):
    """Something that is done to PostgreSQL."""

    backends = (POSTGRES,)
    scope = "database"


@register
class DatabaseStopped(OnPostgres):
    """PostgreSQL dies at once and recovers from its log a few seconds later."""

    name, rows = "database-stopped", ("RF8", "DF17", "AF4", "BF5")
    weight = 3.0
    lasts_s = (0.0, 5.0)

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """Kill -9, which is an immediate stop without even the word."""
        if site.postgres is None:
            return None
        site.postgres.kill()
        return self.injection("PostgreSQL is stopped hard")

    def heal(self, site: Site) -> None:
        """Start it."""
        if site.postgres is not None:
            site.postgres.start()


@register
class SessionsTerminated(OnPostgres):
    """Some sessions end in the middle of whatever they do."""

    name, rows = "sessions-terminated", ("RF8", "RF10", "AF4")
    weight = 2.0

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """pg_terminate_backend of every third one."""
        with session(site) as direct:
            found = [int(row[0]) for row in direct.execute(SESSIONS)]
            chosen = rng.sample(found, (len(found) + 2) // 3)
            for pid in chosen:
                direct.execute("SELECT pg_terminate_backend(%s)", [pid])
        return self.injection(f"ended {len(chosen)} of {len(found)} sessions") if chosen else None


@register
class DatabaseStalled(OnPostgres):
    """PostgreSQL answers no client, as when its disk hangs, and then goes on."""

    name, rows = "database-stalled", ("RF8",)
    lasts_s = (3.0, 10.0)

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """SIGSTOP all its processes."""
        stopped = postmaster(site)
        for process in stopped:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        return self.injection(f"PostgreSQL is frozen: {len(stopped)} processes") if stopped else None

    def heal(self, site: Site) -> None:
        """SIGCONT."""
        for process in postmaster(site):
            with suppress(psutil.NoSuchProcess):
                process.resume()


@register
class TableLocked(OnPostgres):
    """Another client holds a lock on the runs, as a careless migration does."""

    name, rows = "table-locked", ("RF10",)
    lasts_s = (2.0, 10.0)

    def __init__(self) -> None:
        self._holder: psycopg.Connection[TupleRow] | None = None

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """LOCK TABLE in a transaction that stays open; not when it cannot be had at once."""
        assert site.postgres is not None
        holder = psycopg.connect(site.postgres.database("windlass"))
        table = rng.choice(("run", "step", "event"))
        try:
            holder.execute("SET lock_timeout = '2s'")
            holder.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
        except psycopg.Error:
            holder.close()
            return None
        self._holder = holder
        return self.injection(f"locked the table {table}")

    def heal(self, site: Site) -> None:
        """Let go."""
        if self._holder is not None:
            self._holder.close()
            self._holder = None


class AnswerLost(OnPostgres):
    """One statement is done, or not, and its client never learns which."""

    rows = ("RF10",)
    needs = Setting(proxied=True)
    weight = 3.0
    statements: ClassVar[tuple[str, ...]]
    lost: ClassVar[Literal["answer", "question"]] = "answer"

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """Wait for one of the next statements of this kind, and cut there."""
        proxy = database_proxy(site)
        if proxy is None:
            return None
        statement = rng.choice(self.statements)
        before = proxy.await_(statement, rng.randint(1, 8), self.lost)
        if not within(HIT_S, lambda: proxy.hits() > before):
            proxy.forget()
            return None
        return self.injection(f"lost the {self.lost} of {statement!r}")


@register
class CommitUnheard(AnswerLost):
    """A transaction is committed, and its client never learns of it."""

    name = "commit-unheard"
    statements = ("commit",)


@register
class CommitLost(AnswerLost):
    """A transaction is not committed, and to its client it looks as if it might be."""

    name = "commit-lost"
    statements = ("commit",)
    lost = "question"


@register
class WriteUnheard(AnswerLost):
    """A statement that is a transaction of its own is done, and its client never learns of it."""

    name = "write-unheard"
    statements = ("update run", "insert into run", "insert into event", "update step")


@register
class WriteLost(AnswerLost):
    """A statement that is a transaction of its own never arrives."""

    name = "write-lost"
    statements = ("update run", "insert into run", "insert into event", "update step")
    lost = "question"


@register
class DatabaseUnreachable(OnPostgres):
    """The way to PostgreSQL is cut for a few seconds."""

    name, rows = "database-unreachable", ("RF8",)
    needs = Setting(proxied=True)
    lasts_s = (0.5, 5.0)
    weather: ClassVar[Weather] = Weather(refuse=True)

    def strike(self, site: Site, rng: Random) -> Injection | None:
        """Change the weather."""
        proxy = database_proxy(site)
        if proxy is None:
            return None
        proxy.set(self.weather)
        cut = proxy.cut() if self.weather.refuse else 0
        return self.injection(f"the way to PostgreSQL: {self.weather}, {cut} connections cut")

    def heal(self, site: Site) -> None:
        """A clear sky."""
        proxy = database_proxy(site)
        if proxy is not None:
            proxy.set(CLEAR)


@register
class DatabasePartitioned(DatabaseUnreachable):
    """Nothing gets through until the partition heals; then all of it arrives, late."""

    name = "database-partitioned"
    weather = Weather(hold=True)
    lasts_s = (2.0, 13.0)


def database_proxy(site: Site) -> DatabaseProxy | None:
    """What stands before the database, when anything does."""
    found: Any = site.proxies.get("database")
    return found if isinstance(found, DatabaseProxy) else None
