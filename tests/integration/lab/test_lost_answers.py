"""A command whose answer was lost is sent again by its client, and must not be carried out twice."""

import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.lab import Machine

pytestmark = pytest.mark.ipmitool

# Answers that ipmitool needs from login to logout, as seen on the wire.
ANSWERS = 11


class Relay:
    """Passes datagrams between one client and one BMC, but loses one of the answers."""

    def __init__(self, bmc_port: int, lost: int) -> None:
        self.answers = 0
        self._lost = lost
        self._client: Any = None
        self._front, self._back = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        self._front.bind(("127.0.0.1", 0))
        self._back.connect(("127.0.0.1", bmc_port))
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._pass_on)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._front.getsockname()[1])

    def close(self) -> None:
        self._done.set()
        self._thread.join()
        self._front.close()
        self._back.close()

    def _pass_on(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._front, selectors.EVENT_READ, self._request)
            selector.register(self._back, selectors.EVENT_READ, self._answer)
            while not self._done.is_set():
                for key, _ in selector.select(0.05):
                    key.data()

    def _request(self) -> None:
        data, self._client = self._front.recvfrom(4096)
        self._back.send(data)

    def _answer(self) -> None:
        data = self._back.recv(4096)
        self.answers += 1
        if self.answers != self._lost:
            self._front.sendto(data, self._client)


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
