"""`windlass` as a function, against a server on a real socket."""

from collections.abc import Callable, Iterator

import pytest
from click.testing import CliRunner, Result

from app.cli.main import cli
from tests.unit.client.standin import Standin, running

Windlass = Callable[..., Result]


@pytest.fixture
def service() -> Iterator[Standin]:
    """A server that answers from a script."""
    with running() as standin:
        yield standin


@pytest.fixture
def windlass(service: Standin) -> Windlass:
    """Runs a command line against that server."""

    def call(*args: str, input: str | None = None, url: str = service.url) -> Result:
        return CliRunner().invoke(cli, args, input=input, env={"WINDLASS_URL": url})

    return call
