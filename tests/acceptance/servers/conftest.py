"""The server types through the public API: a running service for all tests, a machine of its own for each."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from app.lab import Lab
from tests.acceptance.servers.site import PASSWORD, USER, Service, Site
from tests.support.servers import new_redis, remove
from tests.support.stack import Stack
from windlass import Client

MACHINES = 180  # More than all tests together use.
BMC_PROCESSES = "6"  # Some tests keep a few of them waiting for controllers that do not answer.


def started(environ: dict[str, str], folder: Path, open_: ExitStack) -> Service:
    """The whole service on a backend, with a lab that boots its machines."""
    lab = open_.enter_context(Lab(count=MACHINES, user=USER, password=PASSWORD, power_delay=0.1))
    (state := folder / "state").mkdir(mode=0o700)
    more = {"WINDLASS_BOOT_URL": lab.control_url, "WINDLASS_BMC_PROCESSES": BMC_PROCESSES}
    stack = open_.enter_context(closing(Stack(state, {**environ, **more}, folder / "up.log", only=("bmc",))))
    stack.start()
    client = open_.enter_context(Client(stack.url))
    return Service(stack=stack, client=client, lab=lab, unused=iter(lab.machines))


@pytest.fixture(scope="package")
def on_postgres(
    databases: Callable[..., object], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """The service on PostgreSQL and a Redis of its own, for the whole folder."""
    store = new_redis()
    store.start()
    url = databases("postgres").fresh()  # type: ignore[attr-defined]
    with ExitStack() as open_:
        open_.callback(remove, store)
        environ = {"DATABASE_URL": url, "REDIS_URL": store.url}
        service = started(environ, tmp_path_factory.mktemp("postgres-service"), open_)
        yield service
        log = service.stack.settings.state / "logs" / "reconciler.log"
        assert "reconcile.failed" not in log.read_text()


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service on SQLite and the embedded Valkey."""
    with ExitStack() as open_:
        yield started({}, tmp_path_factory.mktemp("sqlite-service"), open_)


ON_POSTGRES = [pytest.param(("on_postgres", one), id=one) for one in ("ipmi", "redfish")]


@pytest.fixture(params=ON_POSTGRES)
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """Machines for one test, over IPMI and over Redfish; they are mended afterwards."""
    backend, protocol = request.param
    used = Site(service=request.getfixturevalue(backend), protocol=protocol)
    yield used
    for machine in used.taken:
        machine.mend()
