"""Polls a controller until the machine is in the wanted state, with growing pauses."""

import time
from collections.abc import Callable

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0


def becomes(
    true: Callable[[], bool],
    within: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Whether `true` becomes true within so many seconds; it is called at least once, and at the end."""
    deadline = clock() + within
    pause = FIRST_PAUSE
    while not true():
        left = deadline - clock()
        if left <= 0:
            return False
        sleep(min(pause, left))
        pause = min(pause * 2, LONGEST_PAUSE)
    return True
