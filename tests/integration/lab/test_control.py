"""The control API shows the machines, changes them and refuses what it does not know."""

import socket
from typing import Any

import pytest

from app.lab import Faults, Lab, Machine


def test_it_lists_the_machines(lab: Lab, control: Any) -> None:
    machines = control("GET", "/machines").body
    assert [one["id"] for one in machines] == ["m1", "m2"]
    assert machines[0]["ipmiPort"] == lab.machines[0].ipmi_port
    assert machines[0]["redfishUrl"] == lab.machines[0].redfish_url
    assert (machines[0]["power"], machines[0]["bootDevice"], machines[0]["faults"]) == ("off", "default", {})


def test_faults_are_switched_at_run_time(machine: Machine, control: Any) -> None:
    changed = control("PATCH", "/machines/m1", {"faults": {"lies": True, "slow": 1.5, "failTimes": 3}})
    assert changed.body["faults"] == {"lies": True, "slow": 1.5, "failTimes": 3}
    assert machine.active_faults.current == Faults(lies=True, slow=1.5, fail_times=3)
    assert control("PATCH", "/machines/m1", {"faults": {}}).body["faults"] == {}


def test_power_and_boot_device_can_be_changed(machine: Machine, control: Any, lab: Lab) -> None:
    control("PATCH", "/machines/m1", {"power": "on", "bootDevice": "network"})
    assert (machine.power, machine.boot.device) == ("on", "network")
    assert {line.protocol for line in lab.ledger.read("m1", effect="power")} == {"control"}


@pytest.mark.parametrize(
    "body",
    [
        {"colour": "red"},
        {"power": "maybe"},
        {"bootDevice": "toaster"},
        {"faults": {"haunted": True}},
        {"faults": {"dead": 1}},
        {"faults": {"drop": 2}},
        {"faults": {"slow": -1}},
        {"faults": {"sessionLimit": "two"}},
        {"faults": True},
        {"installer": {"mode": "fast"}},
        {"installer": {"delayMs": "1s"}},
        {"powerDelayMs": -1},
        {"power": "on", "installed": 7},
        [],
    ],
)
def test_what_it_does_not_know_changes_nothing(control: Any, effects: Any, body: Any) -> None:
    before = control("GET", "/machines/m1").body
    answer = control("PATCH", "/machines/m1", body)
    assert (answer.status, answer.body["error"]["code"]) == (400, "VALIDATION_ERROR")
    assert control("GET", "/machines/m1").body == before
    assert effects() == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/machines/m9", 404),
        ("GET", "/nowhere", 404),
        ("DELETE", "/machines/m1", 405),
        ("PUT", "/ledger", 405),
        ("GET", "/ledger?since=x", 400),
        ("GET", "/boot", 404),
    ],
)
def test_wrong_addresses(control: Any, method: str, path: str, status: int) -> None:
    assert control(method, path).status == status


def test_the_ledger_can_be_read_from_a_point_on(control: Any) -> None:
    control("PATCH", "/machines/m1", {"power": "on"})
    control("PATCH", "/machines/m2", {"power": "on"})
    lines = control("GET", "/ledger?machine=m2&effect=power").body
    assert [(line["machine"], line["effect"]) for line in lines] == [("m2", "power.on")]
    assert control("GET", f"/ledger?machine=m2&since={lines[-1]['seq'] + 1}").body == []


def test_a_cleared_ledger_goes_on_counting(control: Any) -> None:
    control("PATCH", "/machines/m1", {"power": "on"})
    last = control("GET", "/ledger").body[-1]["seq"]
    assert control("DELETE", "/ledger").status == 204
    control("PATCH", "/machines/m1", {"power": "off"})
    assert control("GET", "/ledger").body[0]["seq"] == last + 1


def test_the_certificate_can_be_fetched(control: Any, lab: Lab) -> None:
    assert control("GET", "/certificate").body == lab.certificate


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Host: evil.example", 403),
        ("Host: localhost\r\nOrigin: http://localhost:3000", 403),
        ("Host: localhost\r\nSec-Fetch-Site: cross-site", 403),
        ("Host: localhost\r\nContent-Type: text/plain", 415),
        ("Host: localhost\r\nContent-Type: application/json", 404),
    ],
)
def test_no_page_of_another_origin_orders_an_installation(lab: Lab, header: str, status: int) -> None:
    port = int(lab.control_url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(f"POST /boot HTTP/1.1\r\n{header}\r\nContent-Length: 2\r\n\r\n{{}}".encode())
        assert connection.recv(1_000).startswith(f"HTTP/1.1 {status} ".encode())
