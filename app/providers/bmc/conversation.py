"""One IPMI session: log in, exchange commands, log out, all within one deadline.

1. the host is resolved once, so that every packet goes to one address;
2. the login is driven from here, packet by packet, because pyghmi's own waits have no limit;
3. every command waits in `awaitresponse`, the one method of pyghmi's session that waits, replaced by one that
   minds the deadline;
4. however it ends, the session is closed and taken out of pyghmi's tables.
"""

import secrets
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from app.domain.errors import BmcConnectionFailed, BmcError, BmcRefused
from app.providers.bmc.answers import LIBRARY_ERRORS, login_failure, refusal
from app.providers.bmc.failure import fail
from app.providers.bmc.pyghmi_copy import Copy, borrowed
from app.providers.bmc.target import Target

CLOSE_SESSION = 0x3C
APPLICATION = 0x06

# What pyghmi raises when a controller sends nonsense; a broad handler would swallow soft time limits.
NONSENSE = (
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    NotImplementedError,
    struct.error,
)

# pyghmi begins to wait without looking whether the answer has come already, and would then sleep until the
# repeat is due, 0.5 to 1 s later; short waits cost nothing and see it.
GLANCE = 0.02


class TimeUp(Exception):
    """The conversation's deadline has passed."""


class Conversation:
    """An open session with one controller; `sent` tells whether an order may have taken effect."""

    def __init__(self, target: Target, copy: Copy, attempt: str, deadline: float) -> None:
        self.target, self.attempt, self.deadline = target, attempt, deadline
        self.sent = False
        self.logged_in = False
        self._copy = copy
        self._session: Any = None

    @property
    def session(self) -> Any:
        """Pyghmi's session, for the readers of sensors and inventory."""
        return self._session

    @property
    def library_errors(self) -> tuple[type[Exception], ...]:
        """Pyghmi's error classes, for an except clause."""
        return library_errors(self._copy)

    def module(self, name: str) -> Any:
        """A module of this conversation's pyghmi."""
        return self._copy.module(name)

    def ask(self, netfn: int, command: int, *data: int) -> bytes:
        """Send a command that may be sent again when its answer is lost; the answer without its code."""
        return self._answer(self._session.raw_command(netfn=netfn, command=command, data=data))

    def order(self, netfn: int, command: int, *data: int, once: bool = False) -> None:
        """Send a command that changes something; `once` keeps pyghmi from repeating it unanswered."""
        # A repeat is due only after the deadline, where `awaitresponse` has given up already.
        patience = self.deadline - time.monotonic() + 60.0 if once else None
        before, self.sent = self.sent, True
        try:
            self._answer(self._session.raw_command(netfn=netfn, command=command, data=data, timeout=patience))
        except BmcRefused as refused:
            self.sent, refused.nothing_happened = before, not before
            raise

    def failure(self, kind: type[BmcError], reason: str, hint: str = "") -> BmcError:
        """The error to raise now, knowing what was sent."""
        return fail(kind, self.target, self.attempt, reason, hint, nothing_happened=not self.sent)

    def broken(self, hint: str = "") -> BmcError:
        """The error for silence: before the login it never answered, after it the connection is lost."""
        return self.failure(BmcConnectionFailed, "lost" if self.logged_in else "unreachable", hint)

    def translated(self, error: Exception) -> BmcError:
        """Our error for one of pyghmi's, whose word for a timeout is the text "None"."""
        hint = "" if str(error) == "None" else str(error)
        meaning = LIBRARY_ERRORS.get(type(error).__name__)
        return self.failure(*meaning, hint) if meaning else self.broken(hint)

    def _answer(self, response: Any) -> bytes:
        if "error" in response and "command" not in response:
            raise self.failure(BmcConnectionFailed, "lost", str(response["error"]))
        if response["code"]:
            kind, reason = refusal(response["code"])
            raise self.failure(kind, reason, str(response.get("error", "")))
        return bytes(response["data"])

    def open(self) -> None:
        """Log in; silence is tried again while there is time, a refusal never."""
        while error := self._login():
            kind, reason = login_failure(error)
            if reason != "unreachable":
                raise fail(kind, self.target, self.attempt, reason, error)
            self.close()
        self.logged_in = True

    def _login(self) -> str:
        """One login; pyghmi's text of what went wrong, or nothing."""
        outcome: dict[str, object] = {}
        session = self._copy.session
        user, password = self.target.username.encode(), self.target.password.encode()
        # As bytes: with text, pyghmi 1.6 files the session under one key and looks for it under another.
        self._session = mindful(session)(
            _resolve(self.target), user, password, port=self.target.port, onlogon=outcome.update
        )
        self._session.deadline = self.deadline
        while not outcome:
            left = self.deadline - time.monotonic()
            if left <= 0:
                raise TimeUp
            session.Session.wait_for_rsp(timeout=min(left, GLANCE))
        return str(outcome["error"]) if "error" in outcome else ""

    def close(self) -> None:
        """Log out without waiting for the answer, and leave nothing of the session in pyghmi's tables."""
        session, self._session = self._session, None
        if session is None:
            return
        session.incommand, session.lastpayload = False, None
        if not session.broken:
            session.logout()
        session.pktqueue.clear()
        tables = self._copy.session.Session
        for waiting in (tables.waiting_sessions, tables.keepalive_sessions):
            waiting.pop(session, None)
        for key in [key for key, value in tables.initting_sessions.items() if value is session]:
            del tables.initting_sessions[key]
        for address, ports in list(tables.bmc_handlers.items()):
            for port in [port for port, value in ports.items() if value is session]:
                del ports[port]
            if not ports:
                del tables.bmc_handlers[address]


def mindful(module: Any) -> Any:
    """Pyghmi's session class, made to mind a deadline and to refuse IPMI 1.5 and its weak logins."""

    class Mindful(module.Session):  # type: ignore[misc]
        deadline = float("inf")

        def _initsession(self) -> None:
            super()._initsession()
            # pyghmi counts from a constant; a late packet for an earlier login must not fit this one.
            self.localsid = secrets.randbelow(1 << 31) + 1

        def _get_session_challenge(self) -> None:
            self.onlogon({"error": "IPMI 2.0 is not offered"})

        def awaitresponse(self, retry: bool, netfn: int, command: int) -> None:
            self.awaitingresponse = True
            try:
                while retry and not self.broken and module.unmatched(self.lastresponse, netfn, command):
                    left = self.deadline - time.monotonic()
                    if left <= 0:
                        raise TimeUp
                    due = self.expiration - module._monotonic_time()
                    module._io_wait(max(0.0, min(due, left, GLANCE)), self.sockaddr)
                    self.process_pktqueue()
                    self._repeat_when_due()
            finally:
                self.awaitingresponse = False

        def _repeat_when_due(self) -> None:
            # The same steps as pyghmi's own loop: repeat the packet, then log in again, then give up.
            with module.util.protect(module.WAITING_SESSIONS):
                if self in self.waiting_sessions and self.expiration < module._monotonic_time():
                    self.waiting_sessions.pop(self, None)
                    self._timedout()

    return Mindful


def _resolve(target: Target) -> str:
    found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_DGRAM)
    return str(found[0][4][0])


@contextmanager
def conversation(target: Target, attempt: str, patience: float) -> Iterator[Conversation]:
    """A session that is logged in, for at most `patience` seconds; every failure comes out as a BMC error."""
    with borrowed() as copy:
        talk = Conversation(target, copy, attempt, time.monotonic() + patience)
        try:
            talk.open()
            yield talk
        except BmcError:
            copy.fit = _ended(talk)
            raise
        except TimeUp as error:
            copy.fit = _ended(talk)
            raise talk.broken() from error
        except OSError as error:
            _farewell(talk)
            raise talk.broken(str(error)) from error
        except library_errors(copy) as error:
            _farewell(talk)
            raise talk.translated(error) from error
        except NONSENSE as error:
            _farewell(talk)
            raise talk.failure(BmcConnectionFailed, "garbled", type(error).__name__) from error
        except BaseException:
            # A time limit or a signal broke in: nothing of this copy of pyghmi is trusted afterwards.
            _farewell(talk)
            raise
        copy.fit = _ended(talk)


def library_errors(copy: Copy) -> tuple[type[Exception], ...]:
    """Pyghmi's error classes, for an except clause."""
    module = copy.module("pyghmi.exceptions")
    return tuple(getattr(module, name) for name in LIBRARY_ERRORS)


def _ended(talk: Conversation) -> bool:
    """Close the session; whether pyghmi is as it was before."""
    try:
        talk.close()
    except NONSENSE:
        return False
    return True


def _farewell(talk: Conversation) -> None:
    """Free the controller's session slot by one packet, without waiting: a full table would lock us out."""
    session = talk.session
    if session is None or not session.logged:
        return
    session.incommand, session.lastpayload = False, None
    identity = struct.unpack("4B", struct.pack("<I", session.sessionid))
    with suppress(OSError, *NONSENSE):
        session.raw_command(netfn=APPLICATION, command=CLOSE_SESSION, data=identity, retry=False)
