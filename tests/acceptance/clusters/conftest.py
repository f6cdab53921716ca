"""The cluster and machine types through the public API: one running service for all tests of a backend."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from app.lab import Lab
from app.lab.kube import Kube
from tests.acceptance.clusters.site import PASSWORD, USER, Site
from tests.support.servers import new_redis, remove
from tests.support.stack import Stack
from windlass import Client

MACHINES = 16  # More than all tests together use.


def started(environ: dict[str, str], folder: Path, open_: ExitStack) -> Site:
    """The whole service on a backend, with servers and a management cluster to work on."""
    lab = open_.enter_context(Lab(count=MACHINES, user=USER, password=PASSWORD, power_delay=0.1))
    kube = open_.enter_context(Kube())
    (state := folder / "state").mkdir(mode=0o700)
    more = {"WINDLASS_BOOT_URL": lab.control_url}
    stack = open_.enter_context(
        closing(Stack(state, {**environ, **more}, folder / "up.log", only=("bmc", "kube")))
    )
    stack.start()
    client = open_.enter_context(Client(stack.url))
    client.managements.add("lab", kube.kubeconfig())
    return Site(stack=stack, client=client, lab=lab, kube=kube, unused=iter(lab.machines))


@pytest.fixture(scope="package")
def on_postgres(databases: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The service on PostgreSQL and a Redis of its own."""
    store = new_redis()
    store.start()
    with ExitStack() as open_:
        open_.callback(remove, store)
        environ = {"DATABASE_URL": databases("postgres").fresh(), "REDIS_URL": store.url}
        yield started(environ, tmp_path_factory.mktemp("postgres-service"), open_)


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The service on SQLite and the embedded Valkey."""
    with ExitStack() as open_:
        yield started({}, tmp_path_factory.mktemp("sqlite-service"), open_)


@pytest.fixture
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """The service on PostgreSQL, or as the module says; its API server is mended afterwards."""
    backend = getattr(request.module, "BACKEND", "on_postgres")
    found: Site = request.getfixturevalue(backend)
    yield found
    found.suffers()
