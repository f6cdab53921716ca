"""Waiting for something that may never come."""

import threading
import time
from collections.abc import Callable

LOOK_S = 0.02


def within(seconds: float, condition: Callable[[], object]) -> bool:
    """Whether the condition became true in time."""
    pause, give_up = threading.Event(), time.monotonic() + seconds
    while not condition():
        if time.monotonic() > give_up:
            return False
        pause.wait(LOOK_S)
    return True
