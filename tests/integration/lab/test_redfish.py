"""sushy, pyghmi's Redfish client and plain HTTPS all find a working service."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sushy

from app.lab import Lab, Machine

_PYGHMI = """
import json, sys
from pyghmi.redfish.command import Command
def new():
    return Command("127.0.0.1", "admin", sys.argv[2], verifycallback=lambda _: True, port=int(sys.argv[1]))
bmc = new()
bmc.set_bootdev("network")
print(json.dumps({
    "powered": bmc.set_power("on", wait=5), "power": bmc.get_power(),
    "inventory": dict(bmc.get_inventory()), "firmware": [name for name, _ in bmc.get_firmware()],
    "sensors": {s.name: s.value for s in bmc.get_sensor_data()}, "health": bmc.get_health()["health"],
}))
"""


@pytest.fixture
def system(lab: Lab, machine: Machine, tmp_path: Path) -> Iterator[Callable[[], Any]]:
    """The system as a fresh sushy connection sees it, with the certificate checked."""
    trusted = tmp_path / "lab.pem"
    trusted.write_bytes(lab.certificate)

    clients = []

    def connect() -> Any:
        client = sushy.Sushy(machine.redfish_url, "admin", lab.account.password, verify=str(trusted))
        clients.append(client)
        return client.get_system("/redfish/v1/Systems/1")

    yield connect
    for client in clients:
        # Otherwise it logs out when it is collected, and tries for half a minute when the lab is gone.
        client._auth.close()
        client._conn.close()


def test_sushy_switches_the_power(machine: Machine, system: Any, effects: Any, eventually: Any) -> None:
    seen = system()
    assert seen.power_state == sushy.PowerState.OFF
    seen.reset_system(sushy.RESET_ON)
    eventually(lambda: machine.on)
    seen.refresh()
    assert seen.power_state == sushy.PowerState.ON
    assert effects() == ["power.on", "boot.started"]


def test_sushy_sets_the_boot_device(machine: Machine, system: Any) -> None:
    system().set_system_boot_options(
        target=sushy.BOOT_SOURCE_TARGET_PXE, enabled=sushy.BOOT_SOURCE_ENABLED_ONCE
    )
    assert system().boot.target == sushy.BOOT_SOURCE_TARGET_PXE
    assert machine.boot.device == "network"


def test_sushy_inspects(machine: Machine, system: Any) -> None:
    seen = system()
    assert (seen.serial_number, seen.bios_version) == (machine.hardware.serial, "2.4.1")
    assert seen.memory_summary.size_gib == 64
    assert [one.model for one in seen.processors.get_members()] == ["Lab Processor 8 cores"] * 2
    assert [one.firmware_version for one in seen.managers] == ["3.17"]
    assert [one.reading_celsius for one in seen.chassis[0].thermal.temperatures] == [None, 23]


def test_pyghmi_finds_everything(lab: Lab, machine: Machine) -> None:
    arguments = [str(machine.redfish_port), lab.account.password]
    done = subprocess.run(
        [sys.executable, "-c", _PYGHMI, *arguments], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["power"] == {"powerstate": "on"}
    assert found["inventory"]["System"]["Serial Number"] == machine.hardware.serial
    assert found["firmware"] == ["BMC", "BIOS"]
    assert found["sensors"]["CPU Temp"] == 42
    assert found["health"] == 0


def test_a_session_ends_when_it_is_deleted(machine: Machine, redfish: Any, effects: Any) -> None:
    login = {"UserName": "admin", "Password": "windlass-lab"}
    opened = redfish(machine, "POST", "/SessionService/Sessions", login)
    token, path = opened.headers["X-Auth-Token"], opened.headers["Location"].removeprefix("/redfish/v1")
    assert redfish(machine, "GET", "/Systems/1", token=token).status == 200
    assert redfish(machine, "DELETE", path, token=token).status == 204
    assert redfish(machine, "GET", "/Systems/1", token=token).status == 401
    assert effects(effect="login") == ["login"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/Systems/2", None, 404),
        ("DELETE", "/Systems/1", None, 405),
        ("PATCH", "/Systems/1", {"AssetTag": "x"}, 400),
        ("PATCH", "/Systems/1", {"Boot": {"BootSourceOverrideTarget": "Toaster"}}, 400),
        ("POST", "/Systems/1/Actions/ComputerSystem.Reset", {"ResetType": "Explode"}, 400),
        ("POST", "/Systems/1/Actions/ComputerSystem.Reset", {"ResetType": "ForceRestart"}, 409),
        ("POST", "/SessionService/Sessions", {"UserName": "admin", "Password": "no"}, 401),
    ],
)
def test_bad_requests_change_nothing(
    machine: Machine, redfish: Any, effects: Any, method: str, path: str, body: Any, status: int
) -> None:
    answer = redfish(machine, method, path, body)
    assert answer.status == status
    assert answer.body["error"]["@Message.ExtendedInfo"][0]["MessageId"]
    assert effects() == []


def test_the_root_is_open_and_the_rest_is_not(machine: Machine, redfish: Any) -> None:
    assert redfish(machine, "GET", "", password="wrong").status == 200
    assert redfish(machine, "GET", "/Systems", password="wrong").status == 401


def test_both_protocols_act_on_one_machine(
    machine: Machine, redfish: Any, pyghmi: Any, eventually: Any
) -> None:
    redfish(machine, "POST", "/Systems/1/Actions/ComputerSystem.Reset", {"ResetType": "On"})
    eventually(lambda: pyghmi(machine, "bmc.get_power()") == {"powerstate": "on"})
