"""How fast the machine is right now: a round trip to PostgreSQL, a durable commit, a fixed Python loop."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

import psycopg

ROUND_TRIPS, COMMITS, LOOPS = 400, 100, 3
NEAR = 1.2  # A round is quiet when it is at most this much slower than the best.


@dataclass(frozen=True)
class Calibration:
    """What the machine needed for the same small work; medians."""

    select_us: float  # SELECT 1, there and back.
    commit_us: float  # One row inserted and committed, for information.
    loop_ms: float  # A fixed loop in Python.

    def __str__(self) -> str:
        return f"SELECT 1 {self.select_us:.0f} us, commit {self.commit_us:.0f} us, loop {self.loop_ms:.1f} ms"


def calibrate(database_url: str) -> Calibration:
    """Measure now; takes about a quarter of a second."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS calibration (n int)")
        select = median(_timed(lambda: connection.execute("SELECT 1").fetchone()) for _ in range(ROUND_TRIPS))
        insert = "INSERT INTO calibration VALUES (1)"
        commit = median(_timed(lambda: connection.execute(insert)) for _ in range(COMMITS))
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


def _loop() -> int:
    total = 0
    for number in range(300_000):
        total += number * number % 7
    return total


def _timed(work: object) -> float:
    begun = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - begun
