"""A standby takes over: writers leave the server that was the primary, and nothing committed is lost."""

import subprocess
from collections.abc import Iterator

import pytest
from sqlalchemy import func, insert, select, text

from app.record.migrate import upgrade
from app.record.session import Database, Tx
from app.record.tables import intent
from tests.support.servers import Postgres, new_postgres, remove, until

pytestmark = pytest.mark.postgres


class Standby(Postgres):
    """Follows a primary until it is promoted."""

    primary: Postgres

    def _make(self) -> None:
        how = ["-h", "127.0.0.1", "-p", str(self.primary.port), "-U", "postgres", "-R", "--checkpoint=fast"]
        subprocess.run(
            [str(self._binaries / "pg_basebackup"), *how, "-D", str(self.folder / "data")],
            check=True,
            capture_output=True,
            cwd=self.folder,
            user=self._user[0] if self._user else None,
            group=self._user[1] if self._user else None,
        )


@pytest.fixture
def primary() -> Iterator[Postgres]:
    server = new_postgres()
    server.start()
    yield server
    remove(server)


@pytest.fixture
def standby(primary: Postgres) -> Iterator[Standby]:
    """What it has not got, the primary does not call committed."""
    server = new_postgres(Standby)
    assert isinstance(server, Standby)
    server.primary = primary
    server.start()
    primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
    primary.execute("SELECT pg_reload_conf()")
    yield server
    remove(server)


@pytest.fixture
def db(primary: Postgres, standby: Standby) -> Iterator[Database]:
    """As operators are told to write it down (docs/operate.rst)."""
    hosts = f"host=127.0.0.1:{primary.port}&host=127.0.0.1:{standby.port}"
    url = f"postgresql+psycopg://postgres@/postgres?{hosts}&target_session_attrs=read-write"
    upgrade(url)
    database = Database(url)
    yield database
    database.dispose()


def add(tx: Tx) -> None:
    key = {"tenant_id": tx.tenant, "operation": "run_1/forward/one", "fence": count(tx) + 1}
    tx.execute(insert(intent), {**key, "at": tx.now})


def count(tx: Tx) -> int:
    return int(tx.value(select(func.count()).select_from(intent)))


def is_read_only(tx: Tx) -> bool:
    return bool(tx.value(text("SHOW default_transaction_read_only")) == "on")


def test_what_was_committed_is_there_after_a_failover(
    db: Database, primary: Postgres, standby: Standby
) -> None:
    for _ in range(5):
        db.write(add)
    primary.kill()
    standby.execute("SELECT pg_promote()")
    db.write(add, patience_s=15)
    assert db.read(count) == 6


def test_a_server_that_may_not_write_any_more_is_left(
    db: Database, primary: Postgres, standby: Standby
) -> None:
    db.write(add)
    standby.execute("SELECT pg_promote()")
    primary.execute("ALTER SYSTEM SET default_transaction_read_only = on")
    primary.execute("SELECT pg_reload_conf()")
    until(lambda: db.read(is_read_only))
    db.write(add, patience_s=15)
    assert db.read(count) == 2
