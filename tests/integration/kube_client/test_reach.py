"""How steps get into a management cluster: by the kubeconfig as it is now."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.auth.keys import LOCAL
from app.config import load
from app.domain.errors import KubeAuthFailed
from app.lab.kube import Kube as Lab
from app.lab.kube.tokens import User
from app.services import managements
from app.services.context import AppContext
from app.wiring import wire
from tasks.capabilities import Reach


@pytest.fixture
def world(sqlite_url: str, state: Path) -> Iterator[AppContext]:
    """A world that publishes nothing."""
    settings = load({}, database_url=sqlite_url, state_dir=str(state), redis_url="redis://127.0.0.1:1/0")
    made = replace(wire(settings, role="worker"), publish=lambda messages: None)
    yield made
    made.db.dispose()


@pytest.fixture
def reach(world: AppContext) -> Reach:
    """What steps of a worker are given."""
    nobody: Any = None
    return Reach(settings=world.settings, db=world.db, opener=lambda: world.opener, children=nobody)


def added(world: AppContext, kubeconfig: str) -> str:
    """A management cluster that is known from now on."""
    namespaces = {"cluster_namespace": "kcm-system", "machine_namespace": "default"}
    made = managements.create(world, LOCAL, {"name": "lab", "kubeconfig": kubeconfig, **namespaces})
    return str(made["id"])


def test_a_token_that_is_replaced_opens_the_door_again(world: AppContext, reach: Reach, kube: Lab) -> None:
    old = kube.kubeconfig()
    known = added(world, old)
    reach.clusters(known).find("prod")
    kube.server().tokens.revoke(kube.token)
    with pytest.raises(KubeAuthFailed):
        reach.clusters(known).find("prod")
    kube.server().tokens.add("another-token", User(name="system:admin"))
    managements.set_kubeconfig(world, LOCAL, known, old.replace(kube.token, "another-token"))
    assert reach.clusters(known).find("prod") is None
