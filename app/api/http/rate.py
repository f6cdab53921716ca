"""How often one peer may call what needs no key: a bucket for each address, in this process.

A peer is who opened the connection; behind a reverse proxy that is the proxy, which limits its clients.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from app.domain.errors import RateLimited

MOST_PEERS = 10_000  # The ones that were heard of least recently are forgotten, and begin with a full bucket.
MINUTE_S = 60.0


@dataclass(frozen=True)
class Left:
    """What a peer has left, as the headers ``RateLimit-*`` say it."""

    limit: int
    remaining: int
    reset_s: int  # Until it has everything again.

    def headers(self) -> dict[str, str]:
        """The headers of an answer."""
        told = {"Limit": self.limit, "Remaining": self.remaining, "Reset": self.reset_s}
        return {f"RateLimit-{name}": str(value) for name, value in told.items()}


class Buckets:
    """So many calls a minute for each peer, all at once if it likes."""

    def __init__(self, a_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit, self._clock = a_minute, clock
        self._seen: OrderedDict[str, tuple[float, float]] = OrderedDict()  # What is left, and since when.
        self._lock = Lock()

    def take(self, peer: str) -> tuple[Left, float]:
        """What the peer has left after this call, and the seconds to wait; 0 when it is allowed."""
        now = self._clock()
        with self._lock:
            left, since = self._seen.pop(peer, (float(self._limit), now))
            left = min(float(self._limit), left + (now - since) * self._limit / MINUTE_S)
            allowed = left >= 1
            left -= allowed
            self._seen[peer] = (left, now)
            if len(self._seen) > MOST_PEERS:
                self._seen.popitem(last=False)
        reset = math.ceil((self._limit - left) * MINUTE_S / self._limit)
        return Left(self._limit, int(left), reset), 0.0 if allowed else (1 - left) * MINUTE_S / self._limit


def check(buckets: Buckets, peer: str, tell: Callable[[Left], None]) -> None:
    """Take one call of the peer and tell what is left; raises `RateLimited`."""
    left, wait_s = buckets.take(peer)
    tell(left)
    if wait_s:
        seconds = math.ceil(wait_s)
        raise RateLimited(
            f"More than {left.limit} calls a minute from {peer}; try again in {seconds} s.",
            limit=left.limit,
            retryAfter=seconds,
        )
