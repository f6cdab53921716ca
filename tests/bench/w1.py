"""W1: throughput of runs with five steps in a row, no-ops and 50 ms steps; ours also beside subscriptions."""

from tests.bench.candidates import EVERYONE, SQLITE
from tests.bench.session import Burst
from tests.bench.stage import Stage
from tests.bench.subscribed import subscribed
from tests.bench.workload import Figure

SLOW_MS, SLOTS = 50, 8  # With slow steps every candidate may run so many at once.


class Throughput:
    """Enough runs to keep a candidate busy for some seconds."""

    name = "W1"
    rounds = None
    candidates = (*EVERYONE, *(candidate.name for candidate in SQLITE))

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._seconds = 3.0 if stage.quick else 10.0

    def setup(self) -> None:
        """Nothing is shared."""

    def measure(self, candidate: str, round_: int) -> list[Figure]:
        """One burst of each kind, as long as the candidate's own speed wants it to be."""
        slow = candidate in EVERYONE and (not self._stage.quick or round_ % 2 == 0)
        figures = [_figure(f"throughput-{SLOW_MS}ms", self._slow(candidate))] if slow else []
        session = self._stage.session(candidate)  # It stays for the workloads that come next.
        runs = max(60, round(session.rate / 5 * self._seconds))
        metric = "throughput-sqlite" if session.candidate.sqlite else "throughput"
        burst = session.burst(runs)
        figures += [_figure(metric, burst), *_commits(burst), *_parts(burst)]
        if not session.candidate.ours:
            return figures
        with subscribed(session.env):  # Subscriptions to other events shall cost these runs nothing.
            return [*figures, _figure(f"{metric}-subscribed", session.burst(runs))]

    def teardown(self) -> None:
        """Nothing is shared."""

    def _slow(self, candidate: str) -> Burst:
        """As many runs as eight slots can at best do in the time."""
        runs = round(SLOTS * 1000 / SLOW_MS / 5 * self._seconds)
        return self._stage.session(candidate, slots=SLOTS).burst(runs, ms=SLOW_MS)


def _figure(metric: str, burst: Burst) -> Figure:
    return Figure(metric, burst.steps_per_second, "steps/s", burst.cpu_per_1000)


def _commits(burst: Burst) -> list[Figure]:
    return [] if burst.commits is None else [Figure("commits", burst.commits / burst.runs, "commits/run")]


def _parts(burst: Burst) -> list[Figure]:
    """Whose CPU it was, where all have the same parts."""
    if "postgres" not in burst.cpu:
        return []
    return [Figure(f"cpu-{part}", used, "s/1,000 steps") for part, used in burst.cpu_by_part.items()]


make = Throughput
