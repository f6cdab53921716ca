"""Controllers that keep to the standards in ways of their own: the lab's vendor profiles."""

from collections.abc import Iterator
from typing import Any

import pytest

from app.domain.errors import BmcConnectionFailed, BmcRefused, BmcUnconfirmed
from app.lab import Lab
from app.providers.bmc import BMC, Target, connect, fingerprint
from tests.support.plain import http
from tests.support.servers import until


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """One machine for all tests; each gives it an oddity of its own."""
    with Lab(count=1, power_delay=0.05) as started:
        yield started


class Odd:
    """The machine of one test, over either protocol."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.machine = lab, lab.machines[0]
        self.pin = fingerprint("127.0.0.1", self.machine.redfish_port)

    def is_(self, power: str = "off", **faults: Any) -> None:
        url = f"{self.lab.control_url}/machines/{self.machine.id}"
        http.patch(url, json={"faults": {}, "power": power}).raise_for_status()
        http.patch(url, json={"faults": faults}).raise_for_status()

    def bmc(self, protocol: str = "redfish", system: str | None = None) -> BMC:
        ipmi = protocol == "ipmi"
        port = self.machine.ipmi_port if ipmi else self.machine.redfish_port
        login = {"username": "admin", "password": "windlass-lab", "system": system}
        return connect(Target(protocol=protocol, host="127.0.0.1", port=port, verify=self.pin, **login))  # type: ignore[arg-type]

    def left_open(self) -> int:
        """Sessions that were begun and not ended."""
        ledger = self.lab.ledger
        return (
            len(ledger.read(effect="login"))
            - len(ledger.read(effect="login.refused"))
            - len(ledger.read(effect="logout"))
        )


@pytest.fixture
def odd(lab: Lab) -> Iterator[Odd]:
    made = Odd(lab)
    yield made
    made.is_()
    lab.ledger.clear()


@pytest.mark.parametrize("location", ["absolute", "named", "none"])
def test_a_session_is_closed_in_whatever_form_its_place_is_told(odd: Odd, location: str) -> None:
    odd.is_(location=location, sessionLimit=1)
    for _ in range(3):
        assert odd.bmc().power() == "off"
    assert odd.left_open() == 0


@pytest.mark.parametrize("cut", ["length", "chunk"])
def test_an_answer_that_is_cut_is_a_lost_connection_and_the_session_ends(odd: Odd, cut: str) -> None:
    odd.is_(cutBody=cut)
    with pytest.raises(BmcConnectionFailed) as lost:
        odd.bmc().power()
    assert (lost.value.details["reason"], odd.left_open()) == ("lost", 0)


def test_a_machine_on_its_way_is_left_on_its_way(odd: Odd) -> None:
    odd.is_(slowPower=1.0)
    with pytest.raises(BmcUnconfirmed) as slow:
        odd.bmc().ensure_power("on", within=0.1)
    assert slow.value.details["reason"] == "on_its_way"
    assert slow.value.passing_ms > 0
    odd.bmc().ensure_power("on", within=10.0)  # No second order: that would be refused.
    assert [one.effect for one in odd.lab.ledger.read(effect="power.on")] == ["power.on"]


@pytest.mark.parametrize("protocol", ["ipmi", "redfish"])
@pytest.mark.parametrize("state", ["on", "off"])
def test_what_is_so_already_is_done_although_an_order_would_be_refused(
    odd: Odd, protocol: str, state: str
) -> None:
    odd.is_(power=state, already=True)
    odd.bmc(protocol).ensure_power(state, within=1.0)  # type: ignore[arg-type]
    assert odd.machine.power == state


def test_a_paused_machine_is_turned_off(odd: Odd) -> None:
    odd.is_(power="on", powerWord="Paused")
    assert odd.bmc().power() == "on"
    odd.bmc().set_power("off", soft=True)
    until(lambda: odd.machine.power == "off")


def test_a_power_state_without_a_word_here_is_none_and_takes_orders(odd: Odd) -> None:
    odd.is_(powerWord="Reset")
    assert odd.bmc().power() is None
    odd.bmc().set_power("on")
    until(lambda: odd.machine.power == "on")


@pytest.mark.parametrize("systems", ["baseboard", "silent"])
def test_the_host_is_the_system_that_can_be_switched(odd: Odd, systems: str) -> None:
    odd.is_(systems=systems)
    assert odd.bmc().identify().serial == odd.machine.hardware.serial
    odd.bmc(system="1").ensure_power("on", within=5.0)
    with pytest.raises(BmcRefused, match=r"has HGX_Baseboard_0, 1|no system"):
        odd.bmc(system="2").power()


def test_padding_is_no_part_of_a_serial_number(odd: Odd) -> None:
    odd.is_(padded=True)
    assert odd.bmc().identify().serial == odd.machine.hardware.serial


@pytest.mark.parametrize(
    ("form", "name"), [("six-bit", "CPU TEMP"), ("bcd", "12 3"), ("unicode", "CPU Temp")]
)
def test_names_of_sensors_are_read_however_they_are_packed(odd: Odd, form: str, name: str) -> None:
    odd.is_(names=form)
    assert odd.bmc("ipmi").hardware()["sensors"][0]["name"] == name


def test_a_new_certificate_is_refused_until_it_is_trusted(odd: Odd) -> None:
    http.post(f"{odd.lab.control_url}/machines/{odd.machine.id}/certificate").raise_for_status()
    with pytest.raises(BmcConnectionFailed, match="trust-certificate") as refused:
        odd.bmc().power()
    assert refused.value.details["reason"] == "certificate"
    odd.pin = fingerprint("127.0.0.1", odd.machine.redfish_port)
    assert odd.bmc().power() == "off"


def test_sensors_are_read_where_newer_controllers_have_them(odd: Odd) -> None:
    def read() -> list[tuple[str, str, float]]:
        sensors = odd.bmc().hardware()["sensors"]
        return sorted((one["name"], one["units"], one["value"]) for one in sensors)

    odd.is_(power="on")
    usual = read()
    odd.is_(power="on", thermal="subsystem")
    assert usual and read() == usual
