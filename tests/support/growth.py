"""Whether work is linear, judged by itself: no figure depends on how fast a machine is."""

import time
from collections.abc import Callable

# 16 times as much costs 16 times, or more where caches end; if each part looks at all others, 256 times.
TIMES, MOST, TRIES = 16, 80.0, 5


def is_linear(work: Callable[[int], object], size: int) -> bool:
    """Whether 16 times ``size`` costs about 16 times as much processor time of this thread."""
    return _cost(work, TIMES * size) < MOST * _cost(work, size)


def _cost(work: Callable[[int], object], size: int) -> float:
    """The least of some tries: whatever else the machine does only adds to it."""
    return min(_spent(work, size) for _ in range(TRIES))


def _spent(work: Callable[[int], object], size: int) -> float:
    began = time.thread_time()
    work(size)
    return time.thread_time() - began
