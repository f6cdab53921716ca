"""A stand-in for the service, and a client that does not wait between attempts."""

from collections.abc import Iterator

import pytest

from tests.unit.client.standin import Standin, running
from windlass import Client, Retries


@pytest.fixture
def service() -> Iterator[Standin]:
    """A server that answers from a script."""
    with running() as standin:
        yield standin


@pytest.fixture
def client(service: Standin) -> Iterator[Client]:
    """A client of it."""
    with Client(service.url, api_key="wlk_test", retries=Retries(first_s=0.0)) as client:
        yield client
