"""A management cluster for tests: the lab's API server or, by WINDLASS_TEST_KUBECONFIG, a real one.

A conftest takes the fixtures over by name::

    from tests.support.kube import kube, management

    __all__ = ["kube", "management"]
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, config

from app.lab.kube import Kube
from tests.support.servers import until

# Read when the tests are collected: every test begins with an environment without our variables.
REAL = os.environ.get("WINDLASS_TEST_KUBECONFIG")


@dataclass(frozen=True, kw_only=True)
class Management:
    """How to reach a management cluster."""

    kubeconfig: str  # YAML with one context at least; the current one is meant.
    lab: Kube | None  # What breaks it; a real one cannot be broken.

    def client(self) -> client.ApiClient:
        """The official client, ready to use."""
        build: Any = config.new_client_from_config_dict
        made: client.ApiClient = build(yaml.safe_load(self.kubeconfig))
        return made

    def write(self, folder: Path) -> Path:
        """A kubeconfig file, for programs."""
        path = folder / "kubeconfig"
        path.write_text(self.kubeconfig)
        return path


def effects(kube: Kube, name: str, plural: str = "clusterdeployments") -> list[str]:
    """What really happened to the objects of this name, in order: create, delete, gone, start, stop."""
    return [
        line.effect
        for line in kube.ledger.read()
        if f"/{plural}." in line.machine and line.machine.endswith(f"/{name}") and line.effect != "update"
    ]


def left(kube: Kube, name: str) -> list[str]:
    """The objects of any kind whose name begins so."""
    store = kube.server().store
    kinds = (kind for kind in kube.server().kinds if kind.plural not in ("events", "leases"))
    return [
        f"{kind.plural}/{record.key[1]}"
        for kind in kinds
        for record in store.records(kind)
        if record.key[1].startswith(name)
    ]


def clear(driver: Any, name: str) -> None:
    """Delete what is called so, and wait until it is gone."""
    driver.delete(name)
    until(lambda: driver.find(name) is None, 60, f"{name} is gone")


@pytest.fixture
def kube() -> Iterator[Kube]:
    """The lab's API server alone, empty, over HTTPS; its token is ``kube.token``."""
    with Kube() as started:
        yield started


@pytest.fixture
def management(request: pytest.FixtureRequest) -> Management:
    """A management cluster for facts that must hold on a real one too."""
    if REAL:
        return Management(kubeconfig=Path(REAL).read_text(), lab=None)
    lab: Any = request.getfixturevalue("kube")
    return Management(kubeconfig=lab.kubeconfig(), lab=lab)
