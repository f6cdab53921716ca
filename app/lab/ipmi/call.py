"""One IPMI command on its way to its answer, and how commands are listed."""

from collections.abc import Callable
from dataclasses import dataclass

from app.lab.ipmi.session import Session, Sessions
from app.lab.ledger import Origin
from app.lab.machine import Machine

# Completion codes (table 5-2); an answer is one of these, followed by data after OK only.
OK = b"\x00"
UNKNOWN = b"\xc1"
WRONG_RESERVATION = b"\xc5"
WRONG_LENGTH = b"\xc7"
OUT_OF_RANGE = b"\xc9"
ABSENT = b"\xcb"
INVALID_FIELD = b"\xcc"
NOT_ALLOWED = b"\xd4"
NOT_NOW = b"\xd5"

# Privilege levels (table 6-1); commands for everybody are answered outside of a session too.
EVERYBODY, USER, OPERATOR, ADMINISTRATOR = 0, 2, 3, 4


@dataclass(frozen=True, kw_only=True)
class Call:
    """A command with what it acts on; ``session`` is missing outside of one."""

    machine: Machine
    sessions: Sessions
    session: Session | None
    origin: Origin
    data: bytes


@dataclass(frozen=True, kw_only=True)
class Command:
    """How a command is answered, who may send it and how many bytes it needs at least."""

    answer: Callable[[Call], bytes]
    privilege: int = USER
    needs: int = 0


Table = dict[tuple[int, int], Command]  # by network function and command number
