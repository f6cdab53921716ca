"""Each way of breaking a BMC shows to real clients, on both protocols where it makes sense."""

import time
import urllib.error
from typing import Any

import pytest

from app.lab import Faults, Lab, Machine
from app.lab.faults import ActiveFaults

RESET = "/Systems/1/Actions/ComputerSystem.Reset"
ON = {"ResetType": "On"}


def broken(machine: Machine, **faults: Any) -> None:
    machine.active_faults.current = Faults(**faults)


def test_a_dead_bmc_does_not_answer_ipmi(machine: Machine, ipmitool: Any, effects: Any) -> None:
    broken(machine, dead=True)
    assert ipmitool(machine, "power on", tries=1).returncode != 0
    broken(machine)
    assert ipmitool(machine, "power status").returncode == 0
    assert effects() == []


def test_a_dead_bmc_does_not_answer_https(machine: Machine, redfish: Any, effects: Any) -> None:
    broken(machine, dead=True)
    with pytest.raises(TimeoutError):
        redfish(machine, "POST", RESET, ON, timeout=0.3)
    broken(machine)
    assert redfish(machine, "GET", "/Systems/1").status == 200
    assert effects() == []


def test_a_slow_bmc_acts_at_once_and_answers_late(
    machine: Machine, redfish: Any, effects: Any, eventually: Any
) -> None:
    broken(machine, slow=5.0)
    with pytest.raises(TimeoutError):
        redfish(machine, "POST", RESET, ON, timeout=0.3)
    eventually(lambda: effects() == ["power.on", "boot.started"])


def test_a_slow_bmc_takes_its_time_over_ipmi(machine: Machine, ipmitool: Any) -> None:
    broken(machine, slow=0.2)
    began = time.monotonic()
    assert ipmitool(machine, "power status").returncode == 0
    assert time.monotonic() - began > 1.0


def test_all_datagrams_lost_is_silence(machine: Machine, ipmitool: Any) -> None:
    broken(machine, drop=1.0)
    assert ipmitool(machine, "power status", tries=1).returncode != 0


def test_the_same_seed_loses_the_same_datagrams() -> None:
    first, second, third = (ActiveFaults(Faults(drop=0.3, seed=seed)) for seed in (7, 7, 8))
    lost = [first.loses() for _ in range(1000)]
    assert lost == [second.loses() for _ in range(1000)]
    assert lost != [third.loses() for _ in range(1000)]
    assert 250 < sum(lost) < 350


def test_a_lossy_connection_is_cut(machine: Machine, redfish: Any, effects: Any) -> None:
    broken(machine, drop=1.0)
    with pytest.raises((urllib.error.URLError, ConnectionError)):
        redfish(machine, "POST", RESET, ON)
    assert effects() == []


def test_a_wrong_password_over_ipmi(machine: Machine, pyghmi: Any, effects: Any) -> None:
    broken(machine, wrong_password=True)
    assert pyghmi(machine, "bmc.get_power()") == {"error": "Incorrect password provided"}
    assert effects(effect="login") == ["login.refused"]


def test_a_wrong_password_over_redfish(machine: Machine, redfish: Any, effects: Any) -> None:
    broken(machine, wrong_password=True)
    assert redfish(machine, "GET", "/Systems/1").status == 401
    assert effects(effect="login") == ["login.refused"]


def test_a_lying_bmc_says_yes_over_ipmi(machine: Machine, ipmitool: Any, effects: Any) -> None:
    broken(machine, lies=True)
    assert ipmitool(machine, "power on").returncode == 0
    assert ipmitool(machine, "chassis bootdev pxe").returncode == 0
    assert "is off" in ipmitool(machine, "power status").stdout
    assert effects() == []


def test_a_lying_bmc_says_yes_over_redfish(machine: Machine, redfish: Any, effects: Any) -> None:
    broken(machine, lies=True)
    assert redfish(machine, "POST", RESET, ON).status == 204
    boot = {"Boot": {"BootSourceOverrideTarget": "Pxe"}}
    assert redfish(machine, "PATCH", "/Systems/1", boot).status == 204
    assert redfish(machine, "GET", "/Systems/1").body["Boot"]["BootSourceOverrideTarget"] == "None"
    assert effects() == []


def test_stale_power_is_the_power_before_the_change(
    machine: Machine, ipmitool: Any, redfish: Any, eventually: Any
) -> None:
    broken(machine, stale_power=True)
    ipmitool(machine, "power on")
    eventually(lambda: machine.on)
    assert "is off" in ipmitool(machine, "power status").stdout
    assert redfish(machine, "GET", "/Systems/1").body["PowerState"] == "Off"
    broken(machine)
    assert "is on" in ipmitool(machine, "power status").stdout


def test_the_session_limit_over_ipmi(machine: Machine, ipmitool: Any, effects: Any) -> None:
    broken(machine, session_limit=0)
    assert "insufficient resources" in ipmitool(machine, "power on").stderr.lower()
    broken(machine, session_limit=1)
    assert ipmitool(machine, "power status").returncode == 0
    assert ipmitool(machine, "power status").returncode == 0, "a closed session makes room"
    assert effects() == []


def test_the_session_limit_over_redfish(machine: Machine, redfish: Any, lab: Lab) -> None:
    broken(machine, session_limit=1)
    login = {"UserName": "admin", "Password": lab.account.password}
    first = redfish(machine, "POST", "/SessionService/Sessions", login)
    assert redfish(machine, "POST", "/SessionService/Sessions", login).status == 503
    path = first.headers["Location"].removeprefix("/redfish/v1")
    redfish(machine, "DELETE", path, token=first.headers["X-Auth-Token"])
    assert redfish(machine, "POST", "/SessionService/Sessions", login).status == 201


def test_power_commands_are_refused(machine: Machine, ipmitool: Any, redfish: Any, effects: Any) -> None:
    broken(machine, refuse=True)
    assert "not supported in present state" in ipmitool(machine, "power on").stderr
    assert redfish(machine, "POST", RESET, ON).status == 400
    assert "is off" in ipmitool(machine, "power status").stdout
    assert effects() == []


def test_a_fault_ends_after_biting_so_many_times(machine: Machine, redfish: Any, effects: Any) -> None:
    broken(machine, refuse=True, fail_times=2)
    assert [redfish(machine, "POST", RESET, ON).status for _ in range(3)] == [400, 400, 204]
    assert machine.active_faults.current == Faults()


def test_one_broken_machine_leaves_the_others_alone(lab: Lab, redfish: Any, eventually: Any) -> None:
    broken(lab.machines[0], dead=True, refuse=True)
    assert redfish(lab.machines[1], "POST", RESET, ON).status == 204
    eventually(lambda: lab.machines[1].on)
    assert lab.machines[0].power == "off"
