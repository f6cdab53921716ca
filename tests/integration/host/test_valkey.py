"""The embedded Valkey keeps its data, whoever is killed."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.config import Settings
from app.host import valkey
from tests.support.ports import free_port
from tests.support.servers import is_alive, until


@pytest.fixture
def settings(state: Path) -> Settings:
    """Settings with a state folder and a Valkey port of their own."""
    return Settings(state_dir=str(state), valkey_port=free_port())


@pytest.fixture
def server(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """A Valkey of the state folder that nobody supervises."""
    process = launch(settings)
    yield process
    process.kill()
    process.wait()


def launch(settings: Settings) -> subprocess.Popen[bytes]:
    """Start the child's program and wait until it answers."""
    process = subprocess.Popen(valkey.child(settings).argv, stdout=subprocess.DEVNULL, start_new_session=True)
    until(lambda: valkey.answers(settings.valkey_port))
    return process


def test_data_survives_kill_9(settings: Settings, server: subprocess.Popen[bytes]) -> None:
    with settings.broker.client() as client:
        client.rpush("queue", "one", "two", "three")
    server.kill()
    server.wait()
    again = launch(settings)
    with settings.broker.client() as client:
        assert client.llen("queue") == 3
    again.kill()
    again.wait()


def test_it_listens_on_loopback_and_evicts_nothing(
    settings: Settings, server: subprocess.Popen[bytes]
) -> None:
    with settings.broker.client() as client:
        assert client.config_get("bind")["bind"] == "127.0.0.1"
        assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"


def test_an_orphan_is_cleared_away(settings: Settings, server: subprocess.Popen[bytes]) -> None:
    assert valkey.clear_orphan(settings) == server.pid
    assert not is_alive(server.pid)


def test_a_pid_file_that_names_a_stranger_harms_nobody(settings: Settings) -> None:
    valkey.child(settings)
    (settings.state / "valkey" / "valkey.pid").write_text(str(os.getpid()))
    assert valkey.clear_orphan(settings) is None


def test_without_a_pid_file_there_is_no_orphan(settings: Settings) -> None:
    assert valkey.clear_orphan(settings) is None
