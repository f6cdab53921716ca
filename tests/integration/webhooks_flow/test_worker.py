"""From a request to the receiver through the real service: API, workers, reconciler, lab and command line."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from app.config import environment
from app.host.up import LAB_PASSWORD
from app.lab import Lab
from tests.conftest import POSTGRES_REDIS, Backend
from tests.integration.webhooks_flow.conftest import INWARD
from tests.integration.webhooks_flow.receiver import Inbox
from tests.support.plain import http
from tests.support.servers import until
from tests.support.stack import Stack
from windlass import Client

SOON_S = 20.0  # A few seconds, on a machine that has other things to do.


@pytest.fixture
def service(backend: Backend, state: Path, tmp_path: Path) -> Iterator[Stack]:
    """The service, which may send webhooks to this machine."""
    environ = {**backend.environ, **INWARD}
    with closing(Stack(state, environ, tmp_path / "up.log", only=("bmc", "webhook"))) as started:
        started.start()
        yield started


@pytest.fixture
def address() -> Iterator[str]:
    """The address of a simulated machine."""
    with Lab(count=1, user="admin", password=LAB_PASSWORD) as lab:
        yield lab.machines[0].address


def windlass(service: Stack, *args: str) -> Any:
    """What the command line prints as JSON."""
    command = [sys.executable, "-m", "app.cli", *args, "-o", "json"]
    done = subprocess.run(
        command, env=environment(service.settings), capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def settled(service: Stack, webhook_id: str) -> list[dict[str, Any]]:
    """What the command line shows of the deliveries, once every one is delivered."""
    shown: list[dict[str, Any]] = windlass(service, "webhook", "deliveries", webhook_id)
    return shown if {one["status"] for one in shown} == {"delivered"} else []


@pytest.mark.parametrize("backend", [POSTGRES_REDIS], indirect=True)
def test_a_run_on_a_machine_is_told_from_its_creation_to_its_end(
    service: Stack, to: Inbox, address: str
) -> None:
    wanted = {"url": to.url, "events": ["run.*"]}
    made = http.post(f"{service.url}/v1/webhooks", json=wanted).raise_for_status().json()["data"]
    to.say(500)  # The first attempt fails; the reconciler sees to the second.
    with Client(service.url) as client:
        accepted = client.servers.register(
            protocol="ipmi", bmc_address=address, username="admin", password=LAB_PASSWORD
        )
    until(lambda: len(to.received) == 4, SOON_S, "three events and one more attempt")
    assert sorted(set(to.events)) == ["run.completed", "run.created", "run.started"]
    for received in to.received:
        assert received.verified(made["secret"])["data"]["id"] == accepted.run_id

    shown = until(lambda: settled(service, made["id"]), SOON_S, "all is settled", 0.5)
    assert sorted(one["event"] for one in shown) == ["run.completed", "run.created", "run.started"]
    assert sorted(len(one["attempts"]) for one in shown) == [1, 1, 2]
