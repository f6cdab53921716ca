"""When a delivery is tried again (Standard Webhooks 1.0; contracts/runs.rst#webhooks)."""

from collections.abc import Callable

SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000

# Pause in milliseconds before each attempt; after the last one the delivery is dead.
SCHEDULE_MS = (
    0,
    5 * SECOND,
    5 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    14 * HOUR,
    20 * HOUR,
    24 * HOUR,
)
JITTER = 0.1  # Share by which a pause may be longer or shorter.


def next_delay(attempt: int, random: Callable[[], float], retry_after_ms: int | None = None) -> int | None:
    """Milliseconds until the next attempt after `attempt` attempts were made; None when it is dead.

    `random` answers numbers in [0, 1). A receiver's Retry-After may lengthen the pause, never shorten it.
    """
    if attempt >= len(SCHEDULE_MS):
        return None
    pause = round(SCHEDULE_MS[attempt] * (1 + JITTER * (2 * random() - 1)))
    return max(pause, retry_after_ms or 0)
