"""W2: latency of one run at a time, from its trigger to the first step's start and to its completion."""

from tests.bench.candidates import EVERYONE
from tests.bench.session import Single
from tests.bench.stage import Stage
from tests.bench.workload import Figure


class Latency:
    """Single runs, one after the other, on an idle machine."""

    name = "W2"
    rounds = None
    candidates = EVERYONE

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._runs = 50 if stage.quick else 200
        self._seconds = 2.5 if stage.quick else 12.0

    def setup(self) -> None:
        """Nothing is shared."""

    def measure(self, candidate: str, round_: int) -> list[Figure]:
        """As many runs as are wanted, fewer when the candidate is slow."""
        session = self._stage.session(candidate)
        probe = session.single()
        count = max(20, min(self._runs, round(self._seconds / probe.ended)))
        found = [session.single() for _ in range(count)]
        return [*_figures("first-step", found, "first"), *_figures("completion", found, "ended")]

    def teardown(self) -> None:
        """Nothing is shared."""


def _figures(metric: str, found: list[Single], moment: str) -> list[Figure]:
    values = sorted(getattr(one, moment) * 1000 for one in found)
    return [
        Figure(metric, values[len(values) // 2], "ms"),
        Figure(f"{metric}-p99", values[min(len(values) - 1, int(len(values) * 0.99))], "ms"),
    ]


make = Latency
