"""Reads PostgreSQL's protocol along, to cut a connection around the one answer that matters.

A commit whose answer is lost is the hardest case for a client: the database did it, and no client knows.
`Listener` is given the statement to wait for; when the server has ended it, the answer is withheld and the
connection reset. With ``lost="question"`` the statement never reaches the server: to the client the two look
the same.

Source: PostgreSQL's documentation, "Frontend/Backend Protocol", message formats.
"""

import struct
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from tests.chaos.faults.proxy import Cut, Tap

# First messages of a client have no type byte; these two are answered with one bare byte.
SSL_REQUEST, GSS_REQUEST = 80877103, 80877104
SYNC = None  # Stands for the end of a group of statements, which ReadyForQuery answers.
IDLE = b"I"  # ReadyForQuery's word for "no transaction is open": what was asked is committed.


@dataclass
class Listener:
    """What to wait for, on whichever connection it comes first, and how often it was hit."""

    cut: int = 0  # Connections that were cut at the awaited statement.
    committed: int = 0  # How many of them after the server had committed.
    _statement: str = ""
    _left: int = 0  # Statements that match before one is hit.
    _lost: Literal["answer", "question"] = "answer"
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def await_(self, statement: str, *, nth: int = 1, lost: Literal["answer", "question"] = "answer") -> None:
        """Cut at the n-th statement from now on that contains this text, once."""
        with self._lock:
            self._statement, self._left, self._lost = statement.lower(), nth, lost

    def forget(self) -> None:
        """Wait for nothing any more."""
        with self._lock:
            self._left = 0

    @property
    def waiting(self) -> bool:
        """Whether the awaited statement has not come yet."""
        return self._left > 0

    def matches(self, statement: str, *, at: Literal["answer", "question"]) -> bool:
        """Whether this statement, at this end of its way, is the one."""
        with self._lock:
            if self._left == 0 or at != self._lost or self._statement not in statement.lower():
                return False
            self._left -= 1
            return self._left == 0

    def tap(self) -> Tap:
        """What reads along on one connection."""
        return _Session(self)


class _Session(Tap):
    """One session: which statements are asked, in order, and which of them is being answered."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._asked, self._answers = _Client(), _Server()
        self._prepared: dict[bytes, str] = {}  # Text by the name of a prepared statement.
        self._portals: dict[bytes, str] = {}
        self._pending: deque[str | None] = deque()
        self._hit = False

    def asked(self, data: bytes) -> bytes:
        for kind, body in self._asked.messages(data):
            if kind in (b"ssl", b"gss"):
                self._answers.bare += 1
            elif kind in _READ:
                self._note(kind, body)
        return data

    def answered(self, data: bytes) -> bytes:
        passed = b""
        for kind, body, whole in self._answers.messages(data):
            if kind == b"Z":
                self._ended(body)
            elif kind == b"C" and self._pending and self._pending[0] is not SYNC:
                statement = self._pending.popleft()
                self._hit = self._hit or self._listener.matches(str(statement), at="answer")
            if not self._hit:
                passed += whole
        return passed

    def _ended(self, state: bytes) -> None:
        """ReadyForQuery: everything up to the group's end is answered, and committed unless one is open."""
        while self._pending and self._pending.popleft() is not SYNC:
            continue
        if self._hit:
            self._listener.cut += 1
            self._listener.committed += state == IDLE
            raise Cut

    def _note(self, kind: bytes, body: bytes) -> None:
        if kind == b"Q":
            self._expect(_text(body))
            self._pending.append(SYNC)
        elif kind == b"P":
            name, text, _ = body.split(b"\0", 2)
            self._prepared[name] = _text(text)
        elif kind == b"B":
            portal, name, _ = body.split(b"\0", 2)
            self._portals[portal] = self._prepared.get(name, "")
        elif kind == b"E":
            self._expect(self._portals.get(body.split(b"\0", 1)[0], ""))
        elif kind == b"S":
            self._pending.append(SYNC)

    def _expect(self, statement: str) -> None:
        if self._listener.matches(statement, at="question"):
            self._listener.cut += 1
            raise Cut
        self._pending.append(statement)


_READ = frozenset({b"Q", b"P", b"B", b"E", b"S"})


class _Client:
    """Splits what a client sends into messages."""

    def __init__(self) -> None:
        self._buffer = b""
        self._started = False

    def messages(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Kind and body of every message that is complete by now."""
        self._buffer += data
        while True:
            head = 1 if self._started else 0
            if len(self._buffer) < head + 4:
                return
            (size,) = struct.unpack_from("!I", self._buffer, head)
            if len(self._buffer) < head + size:
                return
            kind, body = self._buffer[:head], self._buffer[head + 4 : head + size]
            self._buffer = self._buffer[head + size :]
            yield self._first(body) if not self._started else (kind, body)

    def _first(self, body: bytes) -> tuple[bytes, bytes]:
        (code,) = struct.unpack_from("!I", body)
        if code in (SSL_REQUEST, GSS_REQUEST):
            return (b"ssl" if code == SSL_REQUEST else b"gss", body)
        self._started = True
        return b"startup", body


class _Server:
    """Splits what a server sends into messages."""

    def __init__(self) -> None:
        self.bare = 0  # Answers of one byte without a length that are still to come.
        self._buffer = b""

    def messages(self, data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
        """Kind, body and whole of every message that is complete by now."""
        self._buffer += data
        while self._buffer:
            if self.bare:
                self.bare -= 1
                whole, self._buffer = self._buffer[:1], self._buffer[1:]
                yield b"", b"", whole
                continue
            if len(self._buffer) < 5:
                return
            (size,) = struct.unpack_from("!I", self._buffer, 1)
            if len(self._buffer) < 1 + size:
                return
            whole, self._buffer = self._buffer[: 1 + size], self._buffer[1 + size :]
            yield whole[:1], whole[5:], whole


def _text(sql: bytes) -> str:
    return sql.rstrip(b"\0").decode(errors="replace")
