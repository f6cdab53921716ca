"""A client of a management cluster."""

from collections.abc import Iterator

import pytest

from app.providers.kube import Kube
from app.providers.kubeconfig import cleaned
from tests.support.kube import Management, kube, management

__all__ = ["kube", "management"]


@pytest.fixture
def client(management: Management) -> Iterator[Kube]:
    """Our client of it."""
    made = Kube(cleaned(management.kubeconfig))
    yield made
    made.close()
