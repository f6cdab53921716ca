"""W3: one run that fans out to 1,000 steps and joins them; time from its trigger to its completion."""

from tests.bench.stage import Stage
from tests.bench.workload import Figure

MEMBERS = 1000


class FanOut:
    """A map of Windlass, a chord of Celery, child workflows of DBOS on its queue."""

    name = "W3"
    candidates = ("windlass", "celery-bare", "dbos-direct", "dbos-queue")

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.rounds = 1 if stage.quick else None

    def setup(self) -> None:
        """Nothing is shared."""

    def measure(self, candidate: str, round_: int) -> list[Figure]:
        """One fan-out, after a small one that warms up."""
        session = self._stage.session(candidate)
        session.fan(20)
        before = session.cpu()
        seconds = session.fan(MEMBERS)
        return [Figure("fan-out", seconds, "s", (session.cpu() - before) / (MEMBERS + 1) * 1000)]

    def teardown(self) -> None:
        """Nothing is shared."""


make = FanOut
