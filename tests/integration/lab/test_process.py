"""The lab as a process of its own: it says where it listens, survives kill -9 and serves a whole fleet."""

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from app.lab import Lab

# One client process: log in, set the power, read it, log out, for one BMC after the other.
_CLIENT = """
import json, sys
from pyghmi.ipmi.command import Command
for port in json.loads(sys.argv[1]):
    bmc = Command(bmc="127.0.0.1", userid=b"admin", password=b"windlass-lab", port=port)
    bmc.set_power("on")
    bmc.get_power()
    bmc.set_bootdev("network")
    bmc.ipmi_session.logout()
"""


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Callable[..., tuple[Any, Any]]]:
    """Start ``python -m app.lab`` on files of this test; gives the process and its first line."""
    processes = []

    def start(*arguments: str) -> tuple[Any, Any]:
        files = ["--ledger", str(tmp_path / "ledger.jsonl"), "--tls", str(tmp_path / "tls.pem")]
        process = subprocess.Popen(
            [sys.executable, "-m", "app.lab", *files, *arguments],
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


def call(url: str, method: str = "GET", body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data=data, method=method), timeout=300) as answer:
        return json.loads(answer.read())


def test_it_says_where_everything_listens(spawn: Any) -> None:
    _, said = spawn("--count", "2")
    assert [one["id"] for one in said["machines"]] == ["m1", "m2"]
    shown = call(f"{said['controlUrl']}/machines")
    assert [one["ipmiAddress"] for one in shown] == [one["ipmiAddress"] for one in said["machines"]]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly_at_a_signal(spawn: Any, number: signal.Signals) -> None:
    process, _ = spawn("--count", "1")
    process.send_signal(number)
    out, err = process.communicate(timeout=300)
    assert (process.returncode, out, err) == (0, "", "")


def test_a_killed_lab_continues_where_it_was(spawn: Any) -> None:
    process, said = spawn("--count", "1")
    call(f"{said['controlUrl']}/machines/m1", "PATCH", {"installed": "debian-12", "power": "on"})
    before = call(f"{said['controlUrl']}/ledger")
    process.kill()
    process.wait()
    _, again = spawn("--count", "1")
    shown = call(f"{again['controlUrl']}/machines/m1")
    assert (shown["power"], shown["installed"]) == ("on", "debian-12")
    assert call(f"{again['controlUrl']}/ledger") == before


def test_a_torn_line_is_left_out(spawn: Any, tmp_path: Path) -> None:
    process, said = spawn("--count", "1")
    call(f"{said['controlUrl']}/machines/m1", "PATCH", {"power": "on"})
    process.kill()
    process.wait()
    with (tmp_path / "ledger.jsonl").open("a") as file:
        file.write('{"seq": 3, "at": 17')
    _, again = spawn("--count", "1")
    call(f"{again['controlUrl']}/machines/m1", "PATCH", {"power": "off"})
    numbers = [line["seq"] for line in call(f"{again['controlUrl']}/ledger")]
    assert numbers == [1, 2, 3]


def test_a_restarted_lab_shows_the_same_certificate(tmp_path: Path) -> None:
    first, second = (Lab(1, tls=tmp_path / "tls.pem") for _ in range(2))
    assert first.certificate == second.certificate != Lab(1).certificate
    assert (tmp_path / "tls.pem").stat().st_mode & 0o077 == 0


def test_a_taken_port_is_one_clear_sentence(spawn: Any) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        process, said = spawn("--count", "1", "--ipmi-port", str(port))
        _, err = process.communicate(timeout=300)
    assert (said, process.returncode) == (None, 1)
    assert err == f"UDP port {port} on 127.0.0.1 cannot be opened: Address already in use.\n"


def test_ports_can_be_chosen() -> None:
    with Lab(2) as found:
        ports = found.machines[0].ipmi_port, found.control_url
    with Lab(1, ports[0], control_port=int(ports[1].rsplit(":", 1)[1])) as again:
        assert (again.machines[0].ipmi_port, again.control_url) == ports
        assert again.machines[0].redfish_port == ports[0]


def test_fifty_bmcs_serve_four_client_processes() -> None:
    with Lab(50, power_delay=0) as lab, ThreadPoolExecutor(4) as pool:
        ports = [machine.ipmi_port for machine in lab.machines]
        orders = [ports[start:] + ports[:start] for start in (0, 13, 26, 39)]
        clients = [[sys.executable, "-c", _CLIENT, json.dumps(one)] for one in orders]
        done = list(
            pool.map(lambda client: subprocess.run(client, capture_output=True, timeout=300), clients)
        )
        assert [one.stderr for one in done] == [b""] * 4
        assert all(machine.on and machine.boot.device == "network" for machine in lab.machines)
        assert len(lab.ledger.read(effect="power.on")) == 50
        assert len([line for line in lab.ledger.read() if line.effect == "login"]) == 200
