"""`windlass up` as an operator meets it."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.config import Settings, environment
from app.host import up
from tests.support.plain import http
from tests.support.ports import free_port
from tests.support.servers import until
from tests.support.stack import WORKING, Stack

pytestmark = pytest.mark.sqlite
KILLED = ("api", "valkey", "lab", "worker", *WORKING)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the service prints."""
    return tmp_path_factory.mktemp("up") / "up.log"


@pytest.fixture(scope="module")
def embedded(log: Path) -> Iterator[Stack]:
    """The service with its embedded database and Valkey, not yet started."""
    state = log.with_name("state")
    state.mkdir(mode=0o700)
    with closing(Stack(state, {}, log)) as stack:
        yield stack


@pytest.fixture
def running(embedded: Stack) -> Stack:
    """The same, as the test before has left it, or started."""
    if embedded.has_ended():
        embedded.start()
    return embedded


def refused(settings: Settings) -> str:
    """What `windlass up` prints when it cannot start."""
    said = subprocess.run(
        [sys.executable, "-m", "app.cli", "up", "--no-flower"],
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert said.returncode == 1
    return said.stderr


def test_it_starts_says_where_to_look_stops_cleanly_and_keeps_its_state(embedded: Stack, log: Path) -> None:
    embedded.start()
    assert http.get(f"{embedded.url}/livez").status_code == 200
    pool = http.post(f"{embedded.url}/v1/pools", json={"name": "kept"}).raise_for_status().json()["data"]
    assert embedded.stop(signal.SIGINT) == 0
    assert "Windlass is up" in log.read_text()

    embedded.start()
    assert http.get(f"{embedded.url}/v1/pools/{pool['id']}").json()["data"]["name"] == "kept"


@pytest.mark.parametrize(
    "role",
    [
        *(
            "api",
            "valkey",
            "worker",
            "worker-default",
            "worker-bmc",
            "worker-kube",
            "worker-cloud",
            "worker-webhook",
        ),
        *("reconciler", "lab"),
    ],
)
def test_what_is_killed_comes_back(running: Stack, role: str) -> None:
    until(lambda: all(map(running.find, KILLED)), 30, "every process is there")
    running.kill(role)
    until(lambda: up.is_ready(running.settings), 30)


def test_whoever_kills_it_kills_everybody(running: Stack) -> None:
    assert running.stop(signal.SIGKILL) == -signal.SIGKILL  # `stop` waits until nothing is left.


def test_a_port_in_use_is_one_sentence(state: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(Settings(state_dir=str(state), port=port, valkey_port=free_port()))
    assert f"Port {port} of 127.0.0.1 is in use" in said
    assert f"(process {os.getpid()}): free it or choose another with PORT." in said


def test_a_state_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = refused(Settings(state_dir=str(tmp_path / "file" / "state")))
    assert "cannot be written (Not a directory)" in said


def test_a_database_that_is_no_database_is_one_sentence(state: Path) -> None:
    (state / "windlass.db").write_text("no database" * 100)
    assert "Traceback" not in refused(
        Settings(state_dir=str(state), port=free_port(), valkey_port=free_port())
    )
    with pytest.raises(sqlite3.DatabaseError):
        sqlite3.connect(state / "windlass.db").execute("PRAGMA user_version")
