"""A running service with its batch API, on both stacks; every test has names of its own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.support.ports import free_port
from tests.support.servers import new_redis, remove
from tests.support.stack import Stack
from windlass import Client

_NAMES = count(1)
MANY = "8"  # Pool processes: batches are many at a time.


@dataclass(frozen=True, kw_only=True)
class Site:
    """The service, a client of it, and definitions whose servers no other test has."""

    stack: Stack
    client: Client
    prefix: str = field(default_factory=lambda: f"t{next(_NAMES)}")

    @property
    def api(self) -> str:
        """The base URL of the second port."""
        return f"http://127.0.0.1:{self.stack.settings.batch_port}"

    def server(self, name: str, **rehearsal: Any) -> dict[str, Any]:
        """A local server, which may play faults."""
        made: dict[str, Any] = {"name": f"{self.prefix}-{name}", "plan": "small", "zone": "here"}
        return {**made, "rehearsal": rehearsal} if rehearsal else made

    def operation(self, name: str, *servers: dict[str, Any], **more: Any) -> dict[str, Any]:
        """An operation that makes local servers."""
        made = list(servers) or [self.server(name)]
        return {"id": name, "type": "server_batch", "provider": "local", "server_configs": made, **more}

    def batch(self, *operations: dict[str, Any], **more: Any) -> dict[str, Any]:
        """A definition that fails fast."""
        retry = {"max_attempts": 2, "initial_delay": 0}
        return {"name": self.prefix, "retry_policy": retry, "operations": list(operations), **more}


def started(environ: dict[str, str], folder: Path, open_: ExitStack) -> tuple[Stack, Client]:
    """The whole service on a backend."""
    (state := folder / "state").mkdir(mode=0o700)
    batches = {"WINDLASS_BATCH_PORT": str(free_port()), "WINDLASS_WORKER_PROCESSES": MANY}
    stack = open_.enter_context(closing(Stack(state, {**environ, **batches}, folder / "up.log", only=())))
    stack.start()
    return stack, open_.enter_context(Client(stack.url))


@pytest.fixture(scope="package")
def on_postgres(
    databases: Callable[..., object], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Stack, Client]]:
    """The service on PostgreSQL and a Redis of its own."""
    store = new_redis()
    store.start()
    url = databases("postgres").fresh()  # type: ignore[attr-defined]
    with ExitStack() as open_:
        open_.callback(remove, store)
        environ = {"DATABASE_URL": url, "REDIS_URL": store.url}
        yield started(environ, tmp_path_factory.mktemp("postgres-batches"), open_)


@pytest.fixture(scope="package")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, Client]]:
    """The service on SQLite and the embedded Valkey."""
    with ExitStack() as open_:
        yield started({}, tmp_path_factory.mktemp("sqlite-batches"), open_)


BACKENDS = [
    pytest.param("on_postgres", id="postgres", marks=pytest.mark.postgres),
    pytest.param("on_sqlite", id="sqlite", marks=[pytest.mark.sqlite, pytest.mark.nightly]),
]


@pytest.fixture(params=BACKENDS)
def site(request: pytest.FixtureRequest) -> Site:
    """The service for one test."""
    stack, client = request.getfixturevalue(request.param)
    return Site(stack=stack, client=client)
