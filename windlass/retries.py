"""When to ask again, and after how long: pure functions over a small policy."""

import random
from collections.abc import Mapping
from dataclasses import dataclass

REFUSED_FOR_NOW = frozenset({429, 503})  # The service asks for it; a POST is known again by its key.
BROKEN_ON_THE_WAY = frozenset({502, 504})  # A proxy cannot say what happened behind it.
REPEATABLE = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, kw_only=True)
class Retries:
    """How patiently a request is repeated."""

    limit: int = 4  # Attempts after the first.
    first_s: float = 0.2  # Longest pause before the second attempt; doubles from there.
    cap_s: float = 5.0  # Longest pause of our own choice.
    patience_s: float = 30.0  # A longer Retry-After is not waited for.

    def pause(self, attempt: int, retry_after: float | None) -> float | None:
        """Seconds until attempt number `attempt` + 1 (the first is 0), or None to give up."""
        if (
            attempt >= self.limit
            or attempt < 0
            or (retry_after is not None and retry_after > self.patience_s)
        ):
            return None
        ours = random.uniform(0, min(self.cap_s, self.first_s * 2**attempt))
        return ours if retry_after is None else retry_after + ours


def may_repeat(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a request that may have taken effect can be sent again without a second effect."""
    return method in REPEATABLE or "Idempotency-Key" in headers


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that the service asks for; dates are not used by it and are ignored."""
    try:
        return max(0.0, float(headers.get("retry-after", "")))
    except ValueError:
        return None
