"""Reads along what is pushed into the queues of Redis, and may double a message, put it aside or lose it.

A Celery message enters its queue with ``LPUSH queue message``. The tap rewrites that command on its way:
more copies of the message, or another list, from which `release` brings it back later. The answer, a number,
is the same to who pushed.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from redis import Redis

from tests.chaos.faults.proxy import Tap

ASIDE, LOST = b"chaos:aside:", b"chaos:lost:"
KEPT = 2_000  # Messages that are remembered for a later replay.
PUSH = b"LPUSH"


@dataclass(frozen=True, kw_only=True)
class Treatment:
    """What happens to messages; shares are of one."""

    doubled: float = 0.0
    aside: float = 0.0  # Kept until they are released.
    lost: float = 0.0


FAIR = Treatment()


@dataclass
class Courier:
    """What has passed on all connections, and what shall happen to what comes."""

    rng: Random
    treatment: Treatment = FAIR
    touched: int = 0  # Messages that were treated.
    captured: deque[tuple[bytes, bytes]] = field(default_factory=lambda: deque(maxlen=KEPT))

    def tap(self) -> Tap:
        """What reads along on one connection."""
        return _Pushes(self)

    def treat(self, words: Sequence[bytes]) -> Sequence[bytes]:
        """A command that pushes a message, as it goes on."""
        _, queue, message = words
        self.captured.append((queue, message))
        chance, wish = self.rng.random(), self.treatment
        if chance < wish.lost:
            queue = LOST + queue
        elif chance < wish.lost + wish.aside:
            queue = ASIDE + queue
        elif chance < wish.lost + wish.aside + wish.doubled:
            self.touched += 1
            return [PUSH, queue, *[message] * self.rng.randint(2, 5)]
        else:
            return words
        self.touched += 1
        return [PUSH, queue, message]


def release(redis: Redis, rng: Random) -> int:
    """Push what was put aside into the queues that it was meant for, shuffled; forget what was lost."""
    released = 0
    for name in redis.scan_iter(match=ASIDE.decode() + "*"):
        messages = redis.lrange(name, 0, -1)
        redis.delete(name)
        rng.shuffle(messages)
        if messages:
            redis.lpush(str(name).removeprefix(ASIDE.decode()), *messages)
        released += len(messages)
    for name in redis.scan_iter(match=LOST.decode() + "*"):
        redis.delete(name)
    return released


class _Pushes(Tap):
    """One connection to Redis."""

    def __init__(self, courier: Courier) -> None:
        self._courier = courier
        self._rest = b""

    def asked(self, data: bytes) -> bytes:
        data = self._rest + data
        self._rest = b""
        # One that was tapped in the middle of a command is left alone until the next one begins.
        if PUSH not in data or not data.startswith(b"*"):
            return data
        passed = b""
        for words, raw in _commands(data):
            if words is None:
                self._rest = raw
            elif len(words) == 3 and words[0].upper() == PUSH:
                passed += _encoded(self._courier.treat(words))
            else:
                passed += raw
        return passed


def _commands(data: bytes) -> Iterator[tuple[list[bytes] | None, bytes]]:
    """Every command with its bytes; last, with None, what is not complete yet."""
    at = 0
    while at < len(data):
        end, words = _command(data, at)
        if end is None:
            yield None, data[at:]
            return
        yield words, data[at:end]
        at = end


def _command(data: bytes, at: int) -> tuple[int | None, list[bytes]]:
    words: list[bytes] = []
    line = data.find(b"\r\n", at)
    if line < 0:
        return None, words
    count, at = int(data[at + 1 : line]), line + 2
    for _ in range(count):
        line = data.find(b"\r\n", at)
        if line < 0:
            return None, words
        size = int(data[at + 1 : line])
        at = line + 2 + size + 2
        if at > len(data):
            return None, words
        words.append(data[line + 2 : at - 2])
    return at, words


def _encoded(words: Sequence[bytes]) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
