"""What was promised, as data: a figure or a ratio of the summary, and the bound that it must keep."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any


@dataclass(frozen=True)
class Target:
    """One promise."""

    what: str
    key: str  # Of a ratio, or workload.metric.candidate of a median; a pattern means the highest of them.
    but: str = ""  # A pattern of metrics that are not meant.
    least: float | None = None
    most: float | None = None

    def found(self, summary: Mapping[str, Any]) -> float | None:
        """The measured value; None when it was not measured."""
        if "/" in self.key:
            ratio = summary["ratios"].get(self.key)
            return None if ratio is None else float(ratio)
        workload, metric, candidate = self.key.split(".")
        chosen = [
            float(cells[candidate]["median"])
            for name, cells in summary.get(workload, {}).items()
            if candidate in cells and fnmatch(name, metric) and not fnmatch(name, self.but)
        ]
        return max(chosen, default=None)

    def is_met(self, value: float) -> bool:
        """Whether the value keeps the bound."""
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)

    @property
    def bound(self) -> str:
        """The bound for people."""
        return f"at least {self.least:g}" if self.least is not None else f"at most {self.most:g}"


LEASE_S = 10
TARGETS = (
    Target("W1, steps/s against DBOS direct", "W1.throughput.windlass/dbos-direct", least=4),
    Target("W1, steps/s against Absurd", "W1.throughput.windlass/absurd", least=1.3),
    Target("W1, steps/s against bare Celery chains", "W1.throughput.windlass/celery-bare", least=2),
    Target("W1, code workflows against DBOS direct", "W1.throughput.windlass-code/dbos-direct", least=2.5),
    Target("W1, CPU per step against DBOS", "W1.throughput.cpuPer1000.windlass/dbos-direct", most=1 / 3),
    Target(
        "W1 on SQLite, steps/s against DBOS on SQLite",
        "W1.throughput-sqlite.windlass-sqlite/dbos-sqlite",
        least=1,
    ),
    Target("W2, first step against bare Celery", "W2.first-step.windlass/celery-bare", most=1.5),
    Target("W2, completion against DBOS direct", "W2.completion.windlass/dbos-direct", most=0.4),
    Target("W2, completion against bare Celery", "W2.completion.windlass/celery-bare", most=1),
    Target("W3, seconds", "W3.fan-out.windlass", most=2),
    Target("W4, p99 at 32 clients against an empty view", "W4.post-32-p99.windlass/empty-flask", most=3),
    Target("W4, p99 without Redis against with it", "W4.post-32-p99.windlass-no-redis/windlass", most=1),
    Target(
        "W5, slowest list or count at 1,000,000 runs, p99 in ms",
        "W5.1m-*-p99.windlass",
        most=30,
        but="*metrics*",
    ),
    Target(
        "W5, metrics of 30 days at 1,000,000 runs, p99 in ms", "W5.1m-metrics-month-p99.windlass", most=300
    ),
    Target("W7, claim beside 50,000 blocked runs, p99 in ms", "W7.claim-p99.windlass", most=50),
    Target("W9, replay of 1,000 steps, ms", "W9.replay-1000-p50.windlass-code", most=50),
    Target("W9, from a signal to the next step, ms", "W9.signal-p50.windlass-code", most=50),
    Target(
        "W9, CPU of 10,000 parked runs against none",
        "W9.idle-cpu.windlass-code/windlass-code-alone",
        most=1.2,
    ),
    *(
        Target(
            f"W11, events/s against their statements alone, clients: {clients}",
            f"W11.events-{clients}.windlass-apps/floor-statement",
            least=0.75,
        )
        for clients in (1, 8, 32)
    ),
    Target("W11, CPU of an event at 1, 8 or 32 clients, at most, ms", "W11.cpu-*.windlass-apps", most=0.45),
    Target("W11, event at 8 clients, p99 in ms", "W11.event-8-p99.windlass-apps", most=14.5),
    Target("W11, from a message to its handler, p50 in ms", "W11.delivery-p50.windlass-apps", most=10),
    Target("W11, CPU of a message, ms", "W11.message-cpu.windlass-apps", most=1),
    Target("W11, a run read at 1,000,000 runs, p99 in ms", "W11.get-p99.windlass-apps", most=5),
    Target("W11, slowest list at 1,000,000 runs, p99 in ms", "W11.list*-p99.windlass-apps", most=30),
    Target("W12, 1,000 operations against a fan-out", "W12.batch.windlass-batch/windlass", most=3),
    Target("W12, 1,000 operations against DBOS's queue", "W12.batch.windlass-batch/dbos-queue", most=0.6),
    Target("W12, 1,000 operations of ten items", "W12.batch-10-items.windlass-batch/windlass", most=12),
    Target("W12, from an operation to the next, ms", "W12.after.windlass-batch", most=25),
    Target("W12, checks of 10,000 operations, ms of CPU", "W12.graph-10000.windlass-batch", most=150),
    Target("W12, progress at 10,000 operations, ms", "W12.progress-10000.windlass-batch", most=10),
    Target("W6, seconds after a host was lost", "W6.recovery.windlass", most=LEASE_S + 1),
)
