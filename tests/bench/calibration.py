"""How fast the machine is right now: a round trip to PostgreSQL, a durable commit, a fixed Python loop."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from statistics import median

import psutil
import psycopg

from tests.bench.processes import cpu_seconds

BATCHES, ROUND_TRIPS, COMMITS, LOOPS = 200, 50, 100, 20
NEAR = 1.2  # A round is quiet when it is at most this much slower than the best.


@dataclass(frozen=True)
class Calibration:
    """What the machine needed for the same small work; the best of some batches, as noise only adds."""

    select_us: float  # SELECT 1, there and back.
    commit_us: float  # One row inserted and committed, for information.
    loop_ms: float  # A fixed loop in Python.

    def __str__(self) -> str:
        return f"SELECT 1 {self.select_us:.0f} us, commit {self.commit_us:.0f} us, loop {self.loop_ms:.1f} ms"


def calibrate(database_url: str) -> Calibration:
    """Measure now; takes about two seconds, so that a moment in which others are busy does not count."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS calibration (n int)")
        ask = partial(connection.execute, "SELECT 1")
        with _apart(connection.info.backend_pid):
            select = min(median(_timed(ask) for _ in range(ROUND_TRIPS)) for _ in range(BATCHES))
        insert = partial(connection.execute, "INSERT INTO calibration VALUES (1)")
        commit = median(_timed(insert) for _ in range(COMMITS))
    loop = min(_timed(_loop) for _ in range(LOOPS))
    return Calibration(select_us=select * 1e6, commit_us=commit * 1e6, loop_ms=loop * 1e3)


def slower(one: Calibration, other: Calibration) -> Calibration:
    """The worse of two, figure by figure: a round counts as its worse end."""
    return Calibration(
        select_us=max(one.select_us, other.select_us),
        commit_us=max(one.commit_us, other.commit_us),
        loop_ms=max(one.loop_ms, other.loop_ms),
    )


def quiet(rounds: Iterable[Calibration]) -> list[bool]:
    """Which rounds are within 20 % of the best, in the round trip and in the loop."""
    all_ = list(rounds)
    best_select, best_loop = min(c.select_us for c in all_), min(c.loop_ms for c in all_)
    return [c.select_us <= NEAR * best_select and c.loop_ms <= NEAR * best_loop for c in all_]


class Foreign:
    """The share of the machine that others use meanwhile: all work but that of this process's tree."""

    def __init__(self) -> None:
        self._since, self._busy, self._own = time.monotonic(), _busy(), cpu_seconds([os.getpid()])

    def share(self) -> float:
        """From the beginning until now; 1 is all processors."""
        others = _busy() - self._busy - (cpu_seconds([os.getpid()]) - self._own)
        return max(0.0, others / (time.monotonic() - self._since) / (os.cpu_count() or 1))


@contextmanager
def _apart(other: int) -> Iterator[None]:
    """This thread and another process each on a processor of its own.

    Where the two happen to share one, a round trip takes less than half as long.
    """
    free = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(other, free[-1:])
    os.sched_setaffinity(0, free[:1])
    try:
        yield
    finally:
        for either in (0, other):
            os.sched_setaffinity(either, free)


def _busy() -> float:
    """CPU seconds of the whole machine that were used, the hypervisor's theft among them."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq + times.steal)


def _loop() -> int:
    total = 0
    for number in range(300_000):
        total += number * number % 7
    return total


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
