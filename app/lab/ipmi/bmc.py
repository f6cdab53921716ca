"""One BMC on its UDP port: from a datagram to the datagrams that answer it.

1. Faults may swallow the datagram. 2. A presence ping is answered. 3. Login messages go to the handshake.
4. A message outside of a session may use the few commands open to everybody. 5. A message inside of one is
checked (integrity, sequence), decrypted and carried out once, however often the client repeats it.
6. Faults may delay or swallow the answer.
"""

import asyncio
import hmac
from collections.abc import Callable
from dataclasses import replace
from typing import cast

from app.lab.account import Account
from app.lab.ipmi import application, chassis, storage
from app.lab.ipmi.call import EVERYBODY, NOT_ALLOWED, UNKNOWN, WRONG_LENGTH, Call, Table
from app.lab.ipmi.crypto import decrypt, encrypt
from app.lab.ipmi.handshake import Handshake, origin
from app.lab.ipmi.session import Peer, Session, Sessions
from app.lab.ipmi.wire import (
    IPMI_MESSAGE,
    OPEN_REQUEST,
    OPEN_RESPONSE,
    RAKP1,
    RAKP2,
    RAKP3,
    RAKP4,
    Message,
    Packet,
    guard,
    ping_answer,
    read_message,
    read_packet,
    seal,
    write_packet,
)
from app.lab.ledger import Origin
from app.lab.machine import Machine

COMMANDS: Table = {**application.COMMANDS, **chassis.COMMANDS, **storage.COMMANDS}


class IpmiBmc(asyncio.DatagramProtocol):
    """The IPMI side of one machine."""

    def __init__(self, machine: Machine, account: Account) -> None:
        self._machine = machine
        self._sessions = Sessions(self._abandoned)
        self._handshake = Handshake(machine=machine, account=account, sessions=self._sessions)
        self._transport: asyncio.DatagramTransport | None = None
        machine.forgetful.append(self._sessions.forget)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called once, when the port is open."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Peer) -> None:
        """Called for each datagram; those that make no sense get no answer."""
        if self._machine.deaf() or self._machine.active_faults.loses():
            return
        answer = ping_answer(data) or self._answer(data, addr)
        if answer is None:
            return
        delay = self._machine.active_faults.delay()
        if delay:
            asyncio.get_running_loop().call_later(delay, self._send, answer, addr)
        else:
            self._send(answer, addr)

    def _send(self, answer: bytes, addr: Peer) -> None:
        gone = self._transport is None or self._transport.is_closing()
        if self._transport and not gone and not self._machine.active_faults.loses():
            self._transport.sendto(answer, addr)

    def _answer(self, data: bytes, addr: Peer) -> bytes | None:
        packet = read_packet(data)
        if packet is None:
            return None
        if packet.session:
            return self._inside(packet, addr)
        if packet.payload_type == IPMI_MESSAGE:
            return self._outside(packet, addr)
        return self._login(packet, addr)

    def _login(self, packet: Packet, addr: Peer) -> bytes | None:
        steps: dict[int, tuple[int, Callable[[], bytes | None]]] = {
            OPEN_REQUEST: (OPEN_RESPONSE, lambda: self._handshake.open(packet.payload, addr)),
            RAKP1: (RAKP2, lambda: self._handshake.rakp1(packet.payload)),
            RAKP3: (RAKP4, lambda: self._handshake.rakp3(packet.payload)),
        }
        if packet.payload_type not in steps:
            return None
        kind, step = steps[packet.payload_type]
        answer = step()
        return answer and write_packet(Packet(rmcpp=True, payload_type=kind, payload=answer))

    def _outside(self, packet: Packet, addr: Peer) -> bytes | None:
        message = read_message(packet.payload)
        if message is None:
            return None
        body = self._carry_out(message, None, Origin(protocol="ipmi", port=addr[1]))
        return write_packet(Packet(rmcpp=packet.rmcpp, payload=message.answer(body)))

    def _inside(self, packet: Packet, addr: Peer) -> bytes | None:
        session = self._sessions.find(packet.session)
        request = self._opened(packet, session)
        if session is None or request is None:
            return None
        message = read_message(request)
        if message is None:
            return None
        if not session.repeated(request, asyncio.get_running_loop().time()):
            body = self._carry_out(message, session, replace(origin(session), port=addr[1]))
            session.remember(message.answer(body))
        return self._closed(session, session.remembered() or b"")

    def _opened(self, packet: Packet, session: Session | None) -> bytes | None:
        """The plain message of a packet that is intact, new and encrypted; nothing otherwise."""
        if session is None or session.keys is None or packet.payload_type != IPMI_MESSAGE:
            return None
        if not (packet.encrypted and packet.authenticated):
            return None
        length = session.suite.code_length
        guarded, code = packet.guarded[:-length], packet.guarded[-length:]
        if not hmac.compare_digest(session.suite.check(session.keys.k1, guarded), code):
            return None
        if not session.accepts(packet.sequence):
            return None
        return decrypt(session.keys, packet.payload)

    def _closed(self, session: Session, message: bytes) -> bytes | None:
        if session.keys is None:
            return None
        session.sent += 1
        packet = Packet(
            rmcpp=True,
            encrypted=True,
            authenticated=True,
            session=session.console,
            sequence=session.sent,
            payload=encrypt(session.keys, message),
        )
        guarded = guard(packet)
        return seal(guarded, session.suite.check(session.keys.k1, guarded))

    def _carry_out(self, message: Message, session: Session | None, whence: Origin) -> bytes:
        command = COMMANDS.get((message.netfn, message.command))
        if command is None:
            return UNKNOWN
        if command.privilege > (session.privilege if session else EVERYBODY):
            return NOT_ALLOWED
        if len(message.data) < command.needs:
            return WRONG_LENGTH
        return command.answer(
            Call(
                machine=self._machine,
                sessions=self._sessions,
                session=session,
                origin=whence,
                data=message.data,
            )
        )

    def _abandoned(self, session: Session) -> None:
        if not session.refused:
            self._machine.note("login.abandoned", None, origin(session))
