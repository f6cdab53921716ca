"""Demands of code workflows: every kind of wait, signals that race with time and with cancels."""

from random import Random

from tests.chaos.demands.awkward import Demand
from tests.chaos.fault import Setting, register
from tests.chaos.workload.mix import UNNUMBERED, Order

AUTHORED = Setting(code=True)


@register
class Walks(Demand):
    """Runs that sleep, wait for signals, fan out, have children, fail and are undone."""

    name, rows, weight, needs = "code-runs", ("DF14",), 2.0, AUTHORED

    def orders(self, rng: Random) -> list[Order]:
        """Three of them, each another walk."""
        return [
            Order(
                number=UNNUMBERED,
                type="code.walk",
                given={
                    "pace": rng.choice([0, 5, 20, 50]),
                    "nap": rng.choice([0, 50, 500, 2_000]),
                    "words": rng.randint(0, 3),
                    "fan": rng.choice([0, 1, 3]),
                    "child": rng.random() < 0.4,
                    "fails": rng.random() < 0.25,
                },
                cancel_after_ms=rng.randrange(400) if rng.random() < 0.15 else None,
            )
            for _ in range(3)
        ]


@register
class Races(Demand):
    """Signals that come at the moment when their wait times out and a client cancels the run."""

    name, rows, needs = "racing-signals", ("DF15", "RF25"), AUTHORED

    def orders(self, rng: Random) -> list[Order]:
        """Four of them, half of which are cancelled."""
        return [
            Order(
                number=UNNUMBERED,
                type="code.race",
                given={"pace": 5, "words": 2, "timeout": rng.choice([100, 200, 300])},
                cancel_after_ms=rng.randrange(200) if number % 2 else None,
            )
            for number in range(4)
        ]
