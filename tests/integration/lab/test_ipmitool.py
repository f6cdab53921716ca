"""Debian's ipmitool, an independent judge, takes the lab's BMCs for real ones."""

from typing import Any

import pytest

from app.lab import Machine

pytestmark = pytest.mark.ipmitool

both_suites = pytest.mark.parametrize("suite", [3, 17])


@both_suites
def test_power_can_be_switched(
    machine: Machine, ipmitool: Any, effects: Any, eventually: Any, suite: int
) -> None:
    assert "is off" in ipmitool(machine, "power status", suite).stdout
    assert ipmitool(machine, "power on", suite).returncode == 0
    eventually(lambda: "is on" in ipmitool(machine, "power status", suite).stdout)
    assert ipmitool(machine, "power reset", suite).returncode == 0
    assert ipmitool(machine, "power off", suite).returncode == 0
    eventually(lambda: machine.power == "off")
    assert effects() == ["power.on", "boot.started", "reset", "boot.started", "power.off"]


@both_suites
def test_the_boot_device_can_be_set_and_read(machine: Machine, ipmitool: Any, suite: int) -> None:
    assert ipmitool(machine, "chassis bootdev pxe", suite).returncode == 0
    assert "Force PXE" in ipmitool(machine, "chassis bootparam get 5", suite).stdout
    assert machine.boot.device == "network"


@both_suites
@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("mc info", "Firmware Revision         : 3.17"),
        ("mc guid", "System GUID"),
        ("chassis status", "System Power         : off"),
        ("sdr list", "Inlet Temp       | 23 degrees C      | ok"),
        ("sensor list", "Inlet Temp"),
        ("fru print", "Product Name          : Capstan 2000"),
        ("sel info", "Entries          : 0"),
    ],
)
def test_what_inspection_reads(
    machine: Machine, ipmitool: Any, suite: int, command: str, expected: str
) -> None:
    done = ipmitool(machine, command, suite)
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout


def test_sensors_of_a_running_machine_can_be_read(machine: Machine, ipmitool: Any, eventually: Any) -> None:
    ipmitool(machine, "power on")
    eventually(lambda: machine.on)
    shown = ipmitool(machine, "sdr list").stdout
    assert "CPU Temp         | 42 degrees C      | ok" in shown
    assert "Fan 1            | 4200 RPM          | ok" in shown


def test_the_serial_number_is_the_same_over_both_protocols(
    machine: Machine, ipmitool: Any, redfish: Any
) -> None:
    serial = redfish(machine, "GET", "/Systems/1").body["SerialNumber"]
    assert f"Product Serial        : {serial}" in ipmitool(machine, "fru print 0").stdout


@pytest.mark.parametrize("suite", [0, 1, 2, 8, 15, 16])
def test_other_cipher_suites_are_refused(machine: Machine, ipmitool: Any, effects: Any, suite: int) -> None:
    done = ipmitool(machine, "power on", suite)
    assert done.returncode != 0
    assert "no matching cipher suite" in done.stderr
    assert effects() == []


def test_the_client_may_choose_from_the_offered_suites(machine: Machine, ipmitool: Any) -> None:
    shown = ipmitool(machine, "channel getciphers ipmi 1").stdout
    assert "RAKP_HMAC_SHA256" in shown.upper().replace("-", "_") or "sha256" in shown.lower()


@both_suites
def test_a_wrong_password_is_no_login(machine: Machine, ipmitool: Any, effects: Any, suite: int) -> None:
    assert ipmitool(machine, "power on", suite, password="wrong").returncode != 0
    assert effects() == []
    assert effects(effect="login") != ["login"]


def test_an_unknown_user_is_no_login(machine: Machine, ipmitool: Any, effects: Any) -> None:
    assert ipmitool(machine, "power on", user="nobody").returncode != 0
    assert set(effects(effect="login")) == {"login.refused"}


def test_resetting_a_machine_that_is_off_is_refused(machine: Machine, ipmitool: Any, effects: Any) -> None:
    assert "not supported in present state" in ipmitool(machine, "power reset").stderr
    assert effects() == []


def test_every_session_is_closed_again(machine: Machine, ipmitool: Any, effects: Any) -> None:
    ipmitool(machine, "power status")
    assert effects(effect="login") == ["login"]
    assert effects(effect="logout") == ["logout"]


def test_a_cold_reset_silences_the_bmc_for_a_moment(
    machine: Machine, ipmitool: Any, effects: Any, eventually: Any
) -> None:
    machine.bmc_restart = 0.3
    assert ipmitool(machine, "mc reset cold").returncode == 0
    eventually(lambda: effects() == ["bmc.reset"])  # It answers first.
    assert "is off" in ipmitool(machine, "power status").stdout
