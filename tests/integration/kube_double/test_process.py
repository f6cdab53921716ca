"""The server as a process of its own."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, config

from tests.integration.kube_double.places import INSTANCES, MACHINES, Place, machine
from tests.support.ports import free_port
from tests.support.servers import until

Spawn = Callable[..., tuple[subprocess.Popen[str], Any]]


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Start ``python -m app.lab.kube``; gives the process and what it says when it is ready."""
    processes: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> tuple[subprocess.Popen[str], Any]:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.lab.kube", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        assert process.stdout
        line = process.stdout.readline()
        return process, json.loads(line) if line else None

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_it_says_where_it_listens_and_writes_a_kubeconfig(spawn: Spawn, tmp_path: Path) -> None:
    path, port = tmp_path / "kubeconfig", free_port()
    _, said = spawn("--port", str(port), "--token", "t-1", "--kubeconfig", str(path))
    assert said["clusters"] == [{"name": "mgmt", "url": f"https://127.0.0.1:{port}"}]
    assert path.stat().st_mode & 0o077 == 0
    build: Any = config.new_client_from_config_dict
    with build(yaml.safe_load(path.read_text())) as api:
        core: Any = client.CoreV1Api(api)
        assert "kcm-system" in {one.metadata.name for one in core.list_namespace().items}


def test_it_ends_in_order(spawn: Spawn) -> None:
    process, said = spawn("--name", "east", "--name", "west")
    assert [one["name"] for one in said["clusters"]] == ["east", "west"]
    process.send_signal(signal.SIGTERM)
    assert process.wait(300) == 0


def test_a_killed_server_has_lost_nothing(spawn: Spawn, tmp_path: Path) -> None:
    files = {"--state": "state", "--tls": "tls.pem", "--kubeconfig": "kubeconfig"}
    same = ["--port", str(free_port())]
    same += [part for option, name in files.items() for part in (option, str(tmp_path / name))]
    process, _ = spawn(*same)
    place = Place(_client(tmp_path), MACHINES)
    first = place.create(machine(strategy="Always"))["metadata"]["uid"]
    place.until_shown("Running")
    process.kill()
    process.wait()
    spawn(*same)
    again = Place(_client(tmp_path), MACHINES)
    assert again.until_shown("Running")["metadata"]["uid"] == first
    again.delete("m")
    again.until_gone("m")
    until(lambda: not Place(_client(tmp_path), INSTANCES).names(), why="its instance is gone, too")


def _client(folder: Path) -> Any:
    build: Any = config.new_client_from_config_dict
    return build(yaml.safe_load((folder / "kubeconfig").read_text()))


def test_a_taken_port_is_one_clear_sentence(spawn: Spawn) -> None:
    _, said = spawn()
    port = said["clusters"][0]["url"].rpartition(":")[2]
    process, nothing = spawn("--port", port)
    assert nothing is None and process.wait(300) == 1
    assert process.stderr and f"TCP port {port}" in process.stderr.read()
