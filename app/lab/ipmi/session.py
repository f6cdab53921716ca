"""IPMI sessions: their table, their limits and the window of sequence numbers."""

import asyncio
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from app.lab.ipmi.crypto import CipherSuite, Keys

Peer = tuple[str, int]

IDLE = 60.0  # seconds after which a silent session ends (IPMI 2.0, 6.12.15)
HANDSHAKE = 5.0  # seconds that a login may take
_WINDOW = 16  # sequence numbers before and after the highest seen that are accepted (6.12.13)
_RETRIED = 5.0  # seconds within which an equal request is a retry and not a new command


@dataclass
class Session:
    """One session, from the open request on; ``keys`` exist once RAKP message 3 was right."""

    id: int
    console: int  # the client's own id for it
    suite: CipherSuite
    peer: Peer
    seen: float
    password: bytes = b""
    role: int = 0  # the requested role byte, as it goes into the codes
    user: bytes = b""
    console_random: bytes = b""
    own_random: bytes = b""
    challenged: bool = False  # RAKP message 2 was sent
    refused: bool = False  # the ledger already has this login as refused
    keys: Keys | None = None
    privilege: int = 2  # user, until the client asks for more
    sent: int = 0  # sequence number of the last packet to the client
    _highest: int = 0
    _received: set[int] = field(default_factory=set)
    _last: tuple[bytes, float] = (b"", 0.0)
    _answer: bytes | None = None

    @property
    def name(self) -> str:
        """As the ledger calls it."""
        return f"{self.id:08x}"

    @property
    def limit(self) -> int:
        """The highest privilege this session may have; role 0 means the highest there is."""
        return self.role & 0x0F or 4

    def accepts(self, sequence: int) -> bool:
        """Whether a packet with this number is new and within the window."""
        if sequence == 0 or sequence in self._received or abs(sequence - self._highest) > _WINDOW:
            return False
        self._highest = max(self._highest, sequence)
        self._received = {old for old in self._received if old > self._highest - _WINDOW} | {sequence}
        return True

    def repeated(self, request: bytes, now: float) -> bool:
        """Whether this request is the last one sent again, because its answer was lost or late."""
        again = self._last[0] == request and now - self._last[1] < _RETRIED
        if not again:
            self._last, self._answer = (request, now), None
        return again

    def remember(self, answer: bytes) -> None:
        """Keep the answer, for a client that repeats the request."""
        self._answer = answer

    def remembered(self) -> bytes | None:
        return self._answer


class Sessions:
    """All sessions of one BMC."""

    def __init__(self, abandoned: Callable[[Session], None]) -> None:
        self._sessions: dict[int, Session] = {}
        self._abandoned = abandoned

    def __iter__(self) -> Iterator[Session]:
        return iter(self._sessions.values())

    def open(self, console: int, suite: CipherSuite, peer: Peer) -> Session:
        """Begin a handshake; the same client's unfinished one is over."""
        for other in [one for one in self if one.peer == peer and one.keys is None]:
            self._give_up(other)
        loop = asyncio.get_running_loop()
        number = secrets.randbits(31) | 1
        session = Session(id=number, console=console, suite=suite, peer=peer, seen=loop.time())
        self._sessions[number] = session
        loop.call_later(HANDSHAKE, self._give_up, session)
        return session

    def find(self, number: int) -> Session | None:
        """The session with this id, unless it was silent for too long."""
        self._expire()
        session = self._sessions.get(number)
        if session:
            session.seen = asyncio.get_running_loop().time()
        return session

    def close(self, session: Session) -> None:
        self._sessions.pop(session.id, None)

    def forget(self) -> None:
        """Drop all of them without a word, as a restarting BMC does."""
        self._sessions.clear()

    def busy(self, but: Peer) -> int:
        """How many slots are taken, leaving out this client's own unfinished handshakes."""
        self._expire()
        return sum(1 for one in self if one.keys or one.peer != but)

    def _expire(self) -> None:
        oldest = asyncio.get_running_loop().time() - IDLE
        self._sessions = {number: one for number, one in self._sessions.items() if one.seen > oldest}

    def _give_up(self, session: Session) -> None:
        if session.keys or session.id not in self._sessions:
            return
        self.close(session)
        if session.challenged:
            self._abandoned(session)
