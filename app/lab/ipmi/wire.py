"""Packets and messages as bytes: RMCP, ASF, the IPMI 1.5 and 2.0 session headers, the IPMI message.

References are to the IPMI 2.0 specification, 13.1 to 13.8, and ASF 2.0, 3.2.4.
"""

import struct
from dataclasses import dataclass

RMCP_ASF, RMCP_IPMI = 0x06, 0x07
_ASF_IANA = 4542
_PING, _PONG = 0x80, 0x40

# Payload types (table 13-16).
IPMI_MESSAGE = 0x00
OPEN_REQUEST, OPEN_RESPONSE, RAKP1, RAKP2, RAKP3, RAKP4 = range(0x10, 0x16)

_ENCRYPTED, _AUTHENTICATED = 0x80, 0x40
_RMCPP = 0x06  # authentication type of an IPMI 2.0 header


@dataclass(frozen=True, kw_only=True)
class Packet:
    """One IPMI datagram; ``guarded`` is the part that the integrity code covers."""

    rmcpp: bool  # 2.0 header, else 1.5
    payload_type: int = IPMI_MESSAGE
    encrypted: bool = False
    authenticated: bool = False
    session: int = 0
    sequence: int = 0
    payload: bytes = b""
    guarded: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Message:
    """An IPMI request; the answer swaps the two addresses."""

    responder: int
    netfn: int
    responder_lun: int
    requester: int
    sequence: int
    requester_lun: int
    command: int
    data: bytes

    def answer(self, body: bytes) -> bytes:
        """The response with completion code and data in ``body``."""
        head = bytes([self.requester, (self.netfn | 1) << 2 | self.requester_lun])
        rest = bytes([self.responder, self.sequence << 2 | self.responder_lun, self.command]) + body
        return head + _checksum(head) + rest + _checksum(rest)


def ping_answer(datagram: bytes) -> bytes | None:
    """The pong to an ASF presence ping, or nothing when it is not one."""
    if len(datagram) < 12 or datagram[3] & 0x1F != RMCP_ASF:
        return None
    iana, kind, tag = struct.unpack_from(">IBB", datagram, 4)
    if iana != _ASF_IANA or kind != _PING:
        return None
    ipmi_supported = 0x81
    body = struct.pack(">IIBB6x", _ASF_IANA, 0, ipmi_supported, 0)
    head = struct.pack(">IBBBB", _ASF_IANA, _PONG, tag, 0, len(body))
    return bytes([0x06, 0x00, 0xFF, RMCP_ASF]) + head + body


def read_packet(datagram: bytes) -> Packet | None:
    """Take an IPMI datagram apart; nothing when it is cut short or of another kind."""
    if len(datagram) < 14 or datagram[0] != 0x06 or datagram[3] & 0x1F != RMCP_IPMI:
        return None
    return _read_rmcpp(datagram) if datagram[4] == _RMCPP else _read_1_5(datagram)


def _read_1_5(datagram: bytes) -> Packet | None:
    authentication, sequence, session = struct.unpack_from("<BII", datagram, 4)
    length = datagram[13]
    payload = datagram[14 : 14 + length]
    if authentication or len(payload) != length:
        return None
    return Packet(rmcpp=False, sequence=sequence, session=session, payload=payload)


def _read_rmcpp(datagram: bytes) -> Packet | None:
    if len(datagram) < 16:
        return None
    kind, session, sequence, length = struct.unpack_from("<BIIH", datagram, 5)
    payload = datagram[16 : 16 + length]
    if len(payload) != length:
        return None
    return Packet(
        rmcpp=True,
        payload_type=kind & 0x3F,
        encrypted=bool(kind & _ENCRYPTED),
        authenticated=bool(kind & _AUTHENTICATED),
        session=session,
        sequence=sequence,
        payload=payload,
        guarded=datagram[4:],
    )


def write_packet(packet: Packet) -> bytes:
    """The bytes of a packet outside of a session."""
    head = bytes([0x06, 0x00, 0xFF, RMCP_IPMI])
    if not packet.rmcpp:
        return head + struct.pack("<BIIB", 0, 0, 0, len(packet.payload)) + packet.payload
    return head + _rmcpp_header(packet) + packet.payload


def guard(packet: Packet) -> bytes:
    """The part of a session packet that the integrity code covers: header, payload, pad, next header."""
    body = _rmcpp_header(packet) + packet.payload
    pad = -(len(body) + 2) % 4
    return body + b"\xff" * pad + bytes([pad, 0x07])


def seal(guarded: bytes, code: bytes) -> bytes:
    """The whole datagram of a session packet."""
    return bytes([0x06, 0x00, 0xFF, RMCP_IPMI]) + guarded + code


def _rmcpp_header(packet: Packet) -> bytes:
    kind = packet.payload_type
    kind |= _ENCRYPTED if packet.encrypted else 0
    kind |= _AUTHENTICATED if packet.authenticated else 0
    return struct.pack("<BBIIH", _RMCPP, kind, packet.session, packet.sequence, len(packet.payload))


def read_message(payload: bytes) -> Message | None:
    """Take an IPMI request apart; nothing when a checksum is wrong."""
    if len(payload) < 7 or sum(payload[:3]) & 0xFF or sum(payload[3:]) & 0xFF:
        return None
    return Message(
        responder=payload[0],
        netfn=payload[1] >> 2,
        responder_lun=payload[1] & 0x03,
        requester=payload[3],
        sequence=payload[4] >> 2,
        requester_lun=payload[4] & 0x03,
        command=payload[5],
        data=payload[6:-1],
    )


def _checksum(data: bytes) -> bytes:
    return bytes([-sum(data) & 0xFF])
