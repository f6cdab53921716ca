"""Datagrams that are forged, repeated or nonsense have no effect, and a presence ping has an answer."""

import os
import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest

from app.lab import Machine
from app.lab.ipmi.crypto import SUITES, Keys, decrypt, encrypt
from app.lab.ipmi.session import Session
from tests.integration.lab.relay import Relay

PING = bytes.fromhex("06 00 ff 06 00 00 11 be 80 2a 00 00")


@pytest.fixture
def through(machine: Machine) -> Any:
    """A relay that sends on whatever a function makes of each request."""
    relays = []

    def build(change: Callable[[bytes], list[bytes]]) -> Relay:
        relays.append(Relay(machine.ipmi_port, 0, change))
        return relays[-1]

    yield build
    for one in relays:
        one.close()


def in_session(datagram: bytes) -> bool:
    """Whether an IPMI 2.0 datagram belongs to a session."""
    return datagram[4] == 6 and datagram[6:10] != bytes(4)


@pytest.mark.ipmitool
def test_repeated_datagrams_act_once(
    machine: Machine, ipmitool: Any, through: Any, control: Any, effects: Any, eventually: Any
) -> None:
    control("PATCH", "/machines/m1", {"power": "on"})
    between = through(lambda data: [data, data] if in_session(data) else [data])
    assert ipmitool(machine, "power cycle", port=between.port).returncode == 0
    eventually(lambda: machine.settled)
    assert effects(effect="power") == ["power.on", "power.off", "power.on"]


@pytest.mark.ipmitool
@pytest.mark.parametrize("at", [-1, -20, 20])
def test_a_changed_byte_makes_a_datagram_worthless(
    machine: Machine, ipmitool: Any, through: Any, effects: Any, at: int
) -> None:
    def change(data: bytes) -> list[bytes]:
        forged = bytearray(data)
        forged[at] ^= 0x01
        return [bytes(forged)] if in_session(data) else [data]

    assert ipmitool(machine, "power on", port=through(change).port, tries=1).returncode != 0
    assert effects() == []


@pytest.mark.ipmitool
def test_a_datagram_without_integrity_is_worthless(
    machine: Machine, ipmitool: Any, through: Any, effects: Any
) -> None:
    def strip(data: bytes) -> list[bytes]:
        bare = data[:5] + bytes([data[5] & 0x80]) + data[6:]
        return [bare] if in_session(data) else [data]

    assert ipmitool(machine, "power on", port=through(strip).port, tries=1).returncode != 0
    assert effects() == []


def test_a_presence_ping_is_answered(machine: Machine) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.sendto(PING, ("127.0.0.1", machine.ipmi_port))
        pong = client.recv(100)
    assert struct.unpack(">4xIBBxB", pong[:12]) == (4542, 0x40, 0x2A, 16)
    assert pong[20] == 0x81, "IPMI is supported"


@pytest.mark.parametrize("start", [b"", b"\x06\x00\xff\x07", b"\x06\x00\xff\x07\x06\x10" + bytes(8)])
def test_nonsense_does_not_disturb_the_bmc(machine: Machine, start: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        for length in range(64):
            client.sendto(start + os.urandom(length), ("127.0.0.1", machine.ipmi_port))
        client.sendto(PING, ("127.0.0.1", machine.ipmi_port))
        while client.recv(200)[8:9] != b"\x40":
            pass


def test_the_window_takes_each_number_once() -> None:
    session = Session(id=1, console=1, suite=SUITES[0], peer=("127.0.0.1", 1), seen=0)
    assert [session.accepts(number) for number in (3, 4, 3, 2, 0)] == [True, True, False, True, False]
    assert [session.accepts(number) for number in (20, 21, 5, 4, 38)] == [True, True, True, False, False]


@pytest.mark.parametrize("length", range(34))
def test_what_is_encrypted_can_be_decrypted(length: int) -> None:
    keys = Keys.derive(SUITES[0], b"secret", os.urandom(20))
    plain = os.urandom(length)
    assert decrypt(keys, encrypt(keys, plain)) == plain
