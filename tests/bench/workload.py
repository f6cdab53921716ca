"""What a workload of the benchmark is: it measures one candidate in one round and reports figures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tests.bench.stage import Stage


FEW = 3  # Rounds are enough where the figures hardly vary; throughput and latency beside peers need all.


@dataclass(frozen=True)
class Figure:
    """One measured value of one candidate in one round."""

    metric: str  # "throughput", "first-step"; a percentile is a metric of its own: "first-step-p99".
    value: float
    unit: str  # "steps/s", "ms", "s", "MB", …
    cpu_per_1000: float | None = None  # CPU seconds of everything per 1,000 steps, where steps are counted.


class Workload(Protocol):
    """A question put to several candidates, round after round.

    A module ``tests/bench/w4.py`` offers its workload as ``make(stage) -> Workload``.
    """

    @property
    def name(self) -> str:
        """One of W1 to W12."""

    @property
    def candidates(self) -> Sequence[str]:
        """Who is measured, in this order, and in every second round from the last to the first."""

    @property
    def rounds(self) -> int | None:
        """In how many rounds, from the first on, it is asked at the most; None for all."""

    def setup(self) -> None:
        """What all rounds share: called once, before the first round."""

    def measure(self, candidate: str, round_: int) -> list[Figure]:
        """Measure one candidate in one round (from 1); raises `Wrong` when what it did is not complete.

        Whoever does not use ``stage.session`` calls ``stage.close_session`` first: nobody runs beside.
        """

    def teardown(self) -> None:
        """Give everything back; called once, also after a failure."""


Make = Callable[["Stage"], Workload]


class Wrong(Exception):
    """A candidate lost work, or did less than it claims: its figures mean nothing."""
