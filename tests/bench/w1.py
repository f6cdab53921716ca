"""W1: throughput of runs with five steps in a row, no-ops and steps of 50 ms."""

from tests.bench.session import Burst
from tests.bench.stage import Stage
from tests.bench.workload import Figure

EVERYONE = ("windlass", "celery-bare", "celery-naive", "dbos-direct", "dbos-queue", "absurd", "procrastinate")


class Throughput:
    """Enough runs to keep a candidate busy for some seconds."""

    name = "W1"
    candidates = EVERYONE

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._seconds = 4.0 if stage.quick else 10.0

    def setup(self) -> None:
        """Nothing is shared."""

    def measure(self, candidate: str, round_: int) -> list[Figure]:
        """One burst, as long as the candidate's own speed wants it to be."""
        session = self._stage.session(candidate)
        runs = max(60, round(session.rate / 5 * self._seconds))
        return [_figure("throughput", session.burst(runs))]

    def teardown(self) -> None:
        """Nothing is shared."""


def _figure(metric: str, burst: Burst) -> Figure:
    return Figure(metric, burst.steps_per_second, "steps/s", burst.cpu_per_1000)


make = Throughput
