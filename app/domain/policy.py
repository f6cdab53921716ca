"""Policies as data: when to try again, how long to wait, how a fan-out joins."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from app.domain.clock import duration_ms

Random = Callable[[], float]
LONGEST_ASKED_MS = 300_000  # However long somebody else wants to be left alone.


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """Exponential waits with full jitter: attempt n waits between 0 and min(cap, first x factor^(n-1))."""

    first_ms: int = 1_000  # Longest wait before the second attempt.
    factor: float = 2.0  # How much longer each further wait may be.
    cap_ms: int = 60_000  # No wait is longer.
    limit: int = 3  # Attempts in all; 0 means no limit.
    deadline_ms: int | None = None  # No attempt starts later than this after the first one started.
    jitter: bool = True  # False waits exactly the upper bound, for polls.
    linear: bool = False  # The longest wait grows by the first one each time, whatever the factor.

    def bound_ms(self, attempt: int) -> int:
        """Longest wait after this failed attempt, counted from 1."""
        times = attempt if self.linear else self.factor ** min(attempt - 1, 60)
        return round(min(self.cap_ms, self.first_ms * times))

    def wait_ms(
        self,
        attempt: int,
        elapsed_ms: int = 0,
        rand: Random = random.random,
        *,
        asked_ms: int = 0,
        passing_ms: int = 0,
    ) -> int | None:
        """The wait after this failed attempt, or None when the policy is exhausted.

        ``asked_ms`` is how long the other side wants to be left alone: the own wait follows, so that not all
        come back at the same moment. For ``passing_ms`` after the first attempt the limit does not count:
        what stands in the way then passes by itself.
        """
        if self.limit and attempt >= self.limit and elapsed_ms >= passing_ms:
            return None
        bound = self.bound_ms(attempt)
        wait = min(asked_ms, LONGEST_ASKED_MS) + (round(bound * rand()) if self.jitter else bound)
        if self.deadline_ms is not None and elapsed_ms + wait > self.deadline_ms:
            return None
        return wait

    def shown(self) -> dict[str, object]:
        """The policy as the API and the plan preview show it, with the longest waits computed ahead."""
        waits = [self.bound_ms(n) for n in range(1, min(self.limit or 11, 11))]
        return {"limit": self.limit, "waitsMs": waits, "jitter": self.jitter, "deadlineMs": self.deadline_ms}


def backoff(
    first: str | int = "1s",
    *,
    factor: float = 2.0,
    cap: str | int = "60s",
    limit: int = 3,
    deadline: str | int | None = None,
    jitter: bool = True,
) -> Backoff:
    """A retry policy in words: ``backoff("5s", limit=6, cap="2m")``."""
    return Backoff(
        first_ms=duration_ms(first),
        factor=factor,
        cap_ms=duration_ms(cap),
        limit=limit,
        deadline_ms=None if deadline is None else duration_ms(deadline),
        jitter=jitter,
    )


ONCE = Backoff(limit=1)
PATIENT = Backoff(first_ms=2_000, factor=2.0, cap_ms=300_000, limit=12)  # Undo is worth waiting for.


@dataclass(frozen=True, kw_only=True)
class Join:
    """When a fan-out is over: after ``need`` successes (None: all), failing fast or collecting failures."""

    need: int | None = None
    collect: bool = False

    def verdict(self, *, total: int, done: int, failed: int) -> str | None:
        """Return "completed", "failed", or None while members are still needed."""
        if self.collect:
            return "completed" if done + failed == total else None
        need = total if self.need is None else min(self.need, total)
        if done >= need:
            return "completed"
        return "failed" if failed > total - need else None


ALL = Join()
ANY = Join(need=1)
COLLECT = Join(collect=True)


def n_of_m(need: int) -> Join:
    """The fan-out is over when this many members have succeeded."""
    return Join(need=need)
