"""Application commands: who the BMC is, and its sessions (IPMI 2.0, sections 20 and 22)."""

import struct

from app.lab.ipmi.call import ADMINISTRATOR, EVERYBODY, INVALID_FIELD, OK, Call, Command, Table
from app.lab.ipmi.crypto import SUITES
from app.lab.ipmi.handshake import origin

APPLICATION = 0x06

_LAN_CHANNEL = 1
_EXAMPLE_ENTERPRISE = 32473  # set aside for documentation by RFC 5612
_PRODUCT = 2000
# Chassis, FRU inventory, SEL, SDR repository, sensors.
_DEVICE_SUPPORT = 0x8F


def _device_id(call: Call) -> bytes:
    major, minor = call.machine.hardware.firmware
    minor_bcd = minor // 10 << 4 | minor % 10
    ids = struct.pack("<I", _EXAMPLE_ENTERPRISE)[:3] + struct.pack("<H", _PRODUCT)
    return OK + bytes([0x20, 0x01, major, minor_bcd, 0x02, _DEVICE_SUPPORT]) + ids + bytes(4)


def _cold_reset(call: Call) -> bytes:
    call.machine.restart_bmc(call.origin)
    return OK


def _self_test(call: Call) -> bytes:
    passed = 0x55
    return OK + bytes([passed, 0])


def _guid(call: Call) -> bytes:
    return OK + call.machine.hardware.uuid.bytes_le


def _authentication_capabilities(call: Call) -> bytes:
    """Only IPMI 2.0 sessions by named users are offered, none of 1.5's authentication types."""
    extended, named_users_only, ipmi_2_0 = 0x80, 0x04, 0x02
    return OK + bytes([_LAN_CHANNEL, extended, named_users_only, ipmi_2_0, 0, 0, 0, 0])


def _cipher_suites(call: Call) -> bytes:
    """The list of suites in pieces of 16 bytes (table 22-19); both fit into the first."""
    standard, integrity, confidentiality = 0xC0, 0x40, 0x80
    records = b"".join(
        bytes(
            [
                standard,
                suite.number,
                suite.authentication,
                integrity | suite.integrity,
                confidentiality | suite.confidentiality,
            ]
        )
        for suite in reversed(SUITES)
    )
    start = (call.data[2] & 0x3F) * 16
    return OK + bytes([_LAN_CHANNEL]) + records[start : start + 16]


def _set_privilege(call: Call) -> bytes:
    session, wanted = call.session, call.data[0] & 0x0F
    if not session:
        return INVALID_FIELD
    if wanted > session.limit:
        return b"\x80"  # not available for this user
    session.privilege = wanted or session.privilege
    return OK + bytes([session.privilege])


def _close(call: Call) -> bytes:
    number = struct.unpack_from("<I", call.data)[0]
    session = call.sessions.find(number)
    if not session:
        return b"\x87"  # invalid session id
    call.sessions.close(session)
    call.machine.note("logout", None, origin(session))
    return OK


COMMANDS: Table = {
    (APPLICATION, 0x01): Command(answer=_device_id),
    (APPLICATION, 0x02): Command(answer=_cold_reset, privilege=ADMINISTRATOR),
    (APPLICATION, 0x04): Command(answer=_self_test),
    (APPLICATION, 0x08): Command(answer=_guid),
    (APPLICATION, 0x37): Command(answer=_guid, privilege=EVERYBODY),
    (APPLICATION, 0x38): Command(answer=_authentication_capabilities, privilege=EVERYBODY, needs=2),
    (APPLICATION, 0x54): Command(answer=_cipher_suites, privilege=EVERYBODY, needs=3),
    (APPLICATION, 0x3B): Command(answer=_set_privilege, needs=1),
    (APPLICATION, 0x3C): Command(answer=_close, needs=4),
}
