"""The login: open session and the four RAKP messages (IPMI 2.0, 13.17 to 13.24).

client                               BMC
open session (proposed algorithms) ->
                                  <- open session (the cipher suite, or why not)
RAKP 1 (random, role, user)        ->
                                  <- RAKP 2 (random, GUID, code made with the password)
RAKP 3 (code made with the password) ->
                                  <- RAKP 4 (code made with the session key)
"""

import hmac
import os
import struct
from dataclasses import dataclass

from app.lab.account import Account
from app.lab.ipmi.crypto import SUITES, CipherSuite, Keys
from app.lab.ipmi.session import Peer, Session, Sessions
from app.lab.ledger import Origin
from app.lab.machine import Machine

# Status codes (table 13-15).
OK = 0x00
NO_RESOURCES, INVALID_SESSION = 0x01, 0x02
INVALID_AUTHENTICATION, INVALID_INTEGRITY, INVALID_CONFIDENTIALITY = 0x04, 0x05, 0x10
INVALID_ROLE, WRONG_NAME_LENGTH, WRONG_NAME, WRONG_CODE = 0x09, 0x0C, 0x0D, 0x0F
NO_SUITE, ILLEGAL = 0x11, 0x12

_ADMINISTRATOR = 4
_ANY = -1  # a proposal of length zero: the BMC may pick

# The highest numbers that the specification defines (tables 13-17 to 13-19), and the status beyond them.
_KNOWN = ((3, INVALID_AUTHENTICATION), (4, INVALID_INTEGRITY), (3, INVALID_CONFIDENTIALITY))


@dataclass(frozen=True, kw_only=True)
class Handshake:
    """Answers the messages of a login to one BMC; nothing means no answer."""

    machine: Machine
    account: Account
    sessions: Sessions

    def open(self, data: bytes, peer: Peer) -> bytes | None:
        """Pick the cipher suite that the client proposes, or say what is wrong with its proposal."""
        if len(data) < 32:
            return None
        tag, role, console = data[0], data[1] & 0x0F, struct.unpack_from("<I", data, 4)[0]
        suite = _suite(data)
        status = suite if isinstance(suite, int) else OK
        if role > _ADMINISTRATOR:
            status = INVALID_ROLE
        if not status and self.machine.active_faults.full(self.sessions.busy(but=peer)):
            status = NO_RESOURCES
            self.machine.note("login.refused", "sessions", Origin(protocol="ipmi", port=peer[1]))
        if status or isinstance(suite, int):
            return struct.pack("<BBBBI", tag, status, 0, 0, console)
        session = self.sessions.open(console, suite, peer)
        head = struct.pack("<BBBBII", tag, OK, role or _ADMINISTRATOR, 0, console, session.id)
        chosen = (suite.authentication, suite.integrity, suite.confidentiality)
        return head + b"".join(bytes([kind, 0, 0, 8, number, 0, 0, 0]) for kind, number in enumerate(chosen))

    def rakp1(self, data: bytes) -> bytes | None:
        """Take the client's random number and prove that the BMC knows the password."""
        if len(data) < 28:
            return None
        session = self.sessions.find(struct.unpack_from("<I", data, 4)[0])
        if not session or session.keys:
            return struct.pack("<BBHI", data[0], INVALID_SESSION, 0, 0)
        session.console_random, session.role = data[8:24], data[24]
        session.user = data[28 : 28 + data[27]]
        status = self._objection(session, data[27])
        if status:
            return struct.pack("<BBHI", data[0], status, 0, session.console)
        session.own_random = session.own_random or os.urandom(16)
        session.challenged = True
        guid = self.machine.hardware.uuid.bytes_le
        proof = session.suite.mac(
            session.password,
            struct.pack("<II", session.console, session.id)
            + session.console_random
            + session.own_random
            + guid
            + _name(session),
        )
        return struct.pack("<BBHI", data[0], OK, 0, session.console) + session.own_random + guid + proof

    def rakp3(self, data: bytes) -> bytes | None:
        """Check that the client knows the password too; the session begins when it does."""
        if len(data) < 8:
            return None
        session = self.sessions.find(struct.unpack_from("<I", data, 4)[0])
        if not session or not session.challenged:
            return struct.pack("<BBHI", data[0], INVALID_SESSION, 0, 0)
        if data[1]:
            self._refuse(session, "password")
            self.sessions.close(session)
            return None
        proof = session.suite.mac(
            session.password, session.own_random + struct.pack("<I", session.console) + _name(session)
        )
        if not hmac.compare_digest(proof, data[8:]):
            self._refuse(session, "password")
            self.sessions.close(session)
            return struct.pack("<BBHI", data[0], WRONG_CODE, 0, session.console)
        keys = self._begin(session)
        seal = session.console_random + struct.pack("<I", session.id) + self.machine.hardware.uuid.bytes_le
        return struct.pack("<BBHI", data[0], OK, 0, session.console) + session.suite.check(keys.sik, seal)

    def _objection(self, session: Session, name_length: int) -> int:
        if name_length > 16 or len(session.user) != name_length:
            return WRONG_NAME_LENGTH
        if session.role & 0x0F > _ADMINISTRATOR:
            return INVALID_ROLE
        if session.user != self.account.user.encode():
            self._refuse(session, "user")
            return WRONG_NAME
        if not session.password:
            session.password = self.account.password.encode()
            if self.machine.refuses_login():
                session.password = os.urandom(16)
                self._refuse(session, "password")
        return OK

    def _begin(self, session: Session) -> Keys:
        if session.keys:
            return session.keys
        seed = session.console_random + session.own_random + _name(session)
        session.keys = Keys.derive(session.suite, session.password, seed)
        self.machine.note("login", session.user.decode(errors="replace"), origin(session))
        return session.keys

    def _refuse(self, session: Session, why: str) -> None:
        if not session.refused:
            session.refused = True
            self.machine.note("login.refused", why, origin(session))


def origin(session: Session) -> Origin:
    """How the ledger names what comes through this session."""
    return Origin(protocol="ipmi", session=session.name, port=session.peer[1])


def _name(session: Session) -> bytes:
    return bytes([session.role, len(session.user)]) + session.user


def _suite(data: bytes) -> CipherSuite | int:
    """The first of our suites that the proposal allows, or the status that says why there is none."""
    proposed: list[int] = []
    for kind, (highest, beyond) in enumerate(_KNOWN):
        block = data[8 + 8 * kind : 16 + 8 * kind]
        if block[0] != kind:
            return ILLEGAL
        number = _ANY if block[3] == 0 else block[4] & 0x3F
        if number > highest:
            return beyond
        proposed.append(number)
    for suite in SUITES:
        offered = (suite.authentication, suite.integrity, suite.confidentiality)
        if all(want in (_ANY, have) for want, have in zip(proposed, offered, strict=True)):
            return suite
    return NO_SUITE
