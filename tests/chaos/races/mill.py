"""Thousands of races on a real database, each judged by the doctor and by what its contestants were answered.

    python -m tests.chaos.races --rounds 2000 --backend postgres+redis

A race is its name and its seed; ``--only NAME --seed N --rounds 1`` starts it again with the same people.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from app.domain.states import NEEDS_OPERATOR, TERMINAL
from app.record.runs import doctor, runs
from app.record.session import Database
from tests.chaos.races.gate import Gate
from tests.chaos.races.kinds import RACES as KINDS
from tests.chaos.races.signals import CODE_RACES

RACES = {**KINDS, **CODE_RACES}
SHOWN = 8


@dataclass
class Tally:
    """What came out."""

    races: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)  # How the runs ended.
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        ends = ", ".join(f"{number} {status}" for status, number in self.ends.most_common())
        return (
            f"{sum(self.races.values())} races of {len(self.races)} kinds in {self.seconds:.0f} s: "
            f"{len(self.problems)} problems; {sum(self.ends.values())} runs: {ends}"
        )


def race(db: Database, name: str, seed: int) -> Gate:
    """One race in a tenant of its own, brought to rest and looked after by the doctor."""
    own = db.for_tenant(f"{name}/{seed}")
    gate = Gate(own, Random(own.tenant))
    RACES[name](gate)
    gate.come_to_rest()
    _judge(gate)
    return gate


def _judge(gate: Gate) -> None:
    for run_id in gate.runs:
        status = gate.driver.status(run_id)
        gate.expect(status in TERMINAL | NEEDS_OPERATOR, f"{run_id} is {status} in the end")
    for one in gate.db.read(doctor.findings):
        events = [row["type"] for row in gate.db.read(lambda tx, one=one: runs.events_of(tx, one["run"]))]  # type: ignore[misc]
        gate.problems.append(f"{one['invariant']} {one['what']}; {events}")


def run(
    url: str, rounds: int, seed: int, *, only: Sequence[str] = (), say: Callable[[str], None] = print
) -> Tally:
    """So many races of each kind."""
    tally, began, db = Tally(), time.monotonic(), Database(url)
    for number in range(seed, seed + rounds):
        for name in only or RACES:
            gate = race(db, name, number)
            tally.races[name] += 1
            tally.ends.update(gate.driver.status(one) for one in gate.runs)
            for problem in gate.problems[:SHOWN]:
                tally.problems.append(f"{name}, seed {number}: {problem}")
                say(f"! {tally.problems[-1]}")
    db.dispose()
    tally.seconds = time.monotonic() - began
    return tally
