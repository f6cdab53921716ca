"""A command whose answer was lost is sent again by its client, and must not be carried out twice."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.lab import Machine
from tests.integration.lab.relay import Relay

pytestmark = pytest.mark.ipmitool

# Answers that ipmitool needs from login to logout, as seen on the wire.
ANSWERS = 11


@pytest.fixture
def relay(machine: Machine) -> Iterator[Callable[[int], Relay]]:
    relays = []

    def build(lost: int) -> Relay:
        relays.append(Relay(machine.ipmi_port, lost))
        return relays[-1]

    yield build
    for one in relays:
        one.close()


@pytest.mark.parametrize("lost", range(1, ANSWERS + 1))
def test_whichever_answer_is_lost_the_machine_is_cycled_once(
    machine: Machine, ipmitool: Any, relay: Any, control: Any, effects: Any, eventually: Any, lost: int
) -> None:
    control("PATCH", "/machines/m1", {"power": "on"})
    between = relay(lost)
    assert ipmitool(machine, "power cycle", port=between.port).returncode == 0
    eventually(lambda: machine.settled)
    assert effects(effect="power") == ["power.on", "power.off", "power.on"]


def test_the_relay_loses_what_matters(machine: Machine, ipmitool: Any, relay: Any, control: Any) -> None:
    control("PATCH", "/machines/m1", {"power": "on"})
    between = relay(0)
    ipmitool(machine, "power cycle", port=between.port)
    assert between.answers == ANSWERS
