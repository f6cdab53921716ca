"""One service for each stack, with short leases; `embedded` has the shipped settings."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from app.lab import Lab
from app.record.session import Database
from tests.acceptance.faults.bench import Bench
from tests.acceptance.servers.site import PASSWORD, USER, Service
from tests.conftest import POSTGRES_REDIS, SQLITE_AT_NIGHT, Databases
from tests.support.servers import Postgres, new_redis, new_valkey, remove
from tests.support.stack import Stack
from windlass import Client

MACHINES = 60
# A lost step is free again in three seconds instead of ten, which no test here judges but `embedded`.
SHORT = {"WINDLASS_LEASE_MS": "3000", "WINDLASS_HEARTBEAT_MS": "600", "WINDLASS_RECONCILE_MS": "300"}


def started(environ: dict[str, str], folder: Path, open_: ExitStack) -> Service:
    """The whole service on a backend, with a lab in this process that boots its machines."""
    lab = open_.enter_context(Lab(count=MACHINES, user=USER, password=PASSWORD, power_delay=0.1))
    (state := folder / "state").mkdir(mode=0o700)
    environ = {**environ, "WINDLASS_BOOT_URL": lab.control_url}
    stack = open_.enter_context(closing(Stack(state, environ, folder / "up.log", only=("bmc",))))
    stack.start()
    client = open_.enter_context(Client(stack.url))
    return Service(stack=stack, client=client, lab=lab, unused=iter(lab.machines))


@pytest.fixture(scope="package", params=[SQLITE_AT_NIGHT, POSTGRES_REDIS])
def bench(
    request: pytest.FixtureRequest,
    databases: Callable[[str], Databases],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Bench]:
    """The service on both stacks, with a Redis or Valkey of its own."""
    kind, _, store_kind = request.param.partition("+")
    store = new_redis() if store_kind == "redis" else new_valkey()
    postgres: Postgres | None = request.getfixturevalue("postgres") if kind == "postgres" else None
    with ExitStack() as open_:
        open_.callback(remove, store)
        store.start()
        url = databases(kind).fresh()
        db = open_.enter_context(connected(url))
        environ = {"DATABASE_URL": url, "REDIS_URL": store.url, **SHORT}
        service = started(environ, tmp_path_factory.mktemp(kind), open_)
        yield Bench(service=service, db=db, store=store, postgres=postgres)


@pytest.fixture(scope="package")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """The service on SQLite and the Valkey that it starts itself."""
    with ExitStack() as open_:
        service = started({}, tmp_path_factory.mktemp("embedded"), open_)
        db = open_.enter_context(connected(service.stack.settings.database))
        yield Bench(service=service, db=db)


@contextmanager
def connected(url: str) -> Iterator[Database]:
    """A database, closed in the end."""
    db = Database(url)
    yield db
    db.dispose()
