"""A management cluster, and clients that know nothing of the lab: the official one and kubectl.

Every test gets a namespace of its own and a kind of its own, the Widget, so that the same facts can be asked
of a real cluster (see `tests.support.kube`).
"""

import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from kubernetes import client

from app.lab.kube import Kube
from tests.integration.kube_double.widgets import Widgets, defined
from tests.support.kube import Management, kube, management
from tests.support.servers import absent, until

__all__ = ["kube", "management"]

KUBECTL = os.environ.get("KUBECTL") or shutil.which("kubectl")

Kubectl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def api(management: Management) -> Iterator[client.ApiClient]:
    """The official client."""
    made = management.client()
    yield made
    made.close()  # type: ignore[no-untyped-call]


@pytest.fixture
def namespace(api: client.ApiClient) -> Iterator[str]:
    """A namespace that is gone afterwards."""
    name = f"windlass-{uuid.uuid4().hex[:8]}"
    core: Any = client.CoreV1Api(api)
    core.create_namespace({"metadata": {"name": name}})
    yield name
    with suppress(client.ApiException):
        core.delete_namespace(name)


@pytest.fixture
def widgets(api: client.ApiClient, namespace: str) -> Iterator[Widgets]:
    """Objects of a kind that only the test knows."""
    defined(api)
    made = Widgets(api, namespace)
    until(made.served, why="the new kind is served")
    yield made
    made.delete_all()


@pytest.fixture
def kubectl(management: Management, tmp_path: Path) -> Kubectl:
    """Run kubectl; its standard input is the argument ``stdin``."""
    if KUBECTL is None:
        absent("Debian's kubernetes-client is not installed")
    config, cache = management.write(tmp_path), tmp_path / "cache"

    def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [str(KUBECTL), "--kubeconfig", str(config), "--cache-dir", str(cache), *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=300)

    return run


@pytest.fixture
def control(kube: Kube) -> Iterator[httpx.Client]:
    """The control API of the lab's management cluster."""
    with httpx.Client(base_url=f"{kube.control_url}/kube/mgmt", trust_env=False) as made:
        yield made
