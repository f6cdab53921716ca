"""pyghmi, the client that Windlass uses, finds everything it asks a BMC for."""

from typing import Any

from app.lab import Machine


def test_it_logs_in_with_sha256(machine: Machine, pyghmi: Any) -> None:
    assert pyghmi(machine, "bmc.ipmi_session.attemptedhash") == 256


def test_power_is_switched_and_read(machine: Machine, pyghmi: Any, effects: Any) -> None:
    assert pyghmi(machine, "bmc.get_power()") == {"powerstate": "off"}
    assert pyghmi(machine, "bmc.set_power('on', wait=True)") == {"powerstate": "on"}
    assert pyghmi(machine, "bmc.get_power()") == {"powerstate": "on"}
    assert effects() == ["power.on", "boot.started"]


def test_the_boot_device_is_set_and_read(machine: Machine, pyghmi: Any) -> None:
    answer = pyghmi(machine, "[bmc.set_bootdev('network', uefiboot=True), bmc.get_bootdev()]")
    assert answer[1] == {"bootdev": "network", "persistent": False, "uefimode": True}


def test_the_boot_device_holds_for_one_start(machine: Machine, pyghmi: Any, lab: Any) -> None:
    pyghmi(machine, "[bmc.set_bootdev('network'), bmc.set_power('on', wait=True)]")
    assert [line.value for line in lab.ledger.read("m1", effect="boot.started")] == ["network"]
    assert pyghmi(machine, "bmc.get_bootdev()")["bootdev"] == "default"


def test_inventory_and_firmware(machine: Machine, pyghmi: Any) -> None:
    inventory, firmware = pyghmi(machine, "[dict(bmc.get_inventory()), list(bmc.get_firmware())]")
    assert inventory["System"]["Serial Number"] == machine.hardware.serial
    assert inventory["System"]["UUID"].lower() == str(machine.hardware.uuid)
    assert inventory["PSU 1"]["Product name"] == "PSU 800W"
    assert firmware == [["BMC Version", {"version": "3.17"}]]


def test_sensors_and_health(machine: Machine, pyghmi: Any) -> None:
    pyghmi(machine, "bmc.set_power('on', wait=True)")
    values = pyghmi(machine, "{s.name: s.value for s in bmc.get_sensor_data()}")
    assert values == {"CPU Temp": 42, "Inlet Temp": 23, "Fan 1": 4200, "Fan 2": 4100, "Power": 180}
    assert pyghmi(machine, "bmc.get_health()['health']") == 0


def test_a_wrong_password_is_told_at_once(machine: Machine, pyghmi: Any) -> None:
    assert pyghmi(machine, "1", password="wrong") == {"error": "Incorrect password provided"}


def test_a_client_that_hangs_up_on_rakp2_is_noticed(
    machine: Machine, pyghmi: Any, effects: Any, eventually: Any
) -> None:
    pyghmi(machine, "1", password="wrong")
    eventually(lambda: effects(effect="login") == ["login.abandoned"])
