"""When which fault strikes: made from a seed alone, so that a campaign can be repeated.

A `Beat` is a rhythm and the faults that it draws from: a kill every 2 s, a freeze every 5 s, anything else
every so often. A bag per beat is shuffled and emptied before it is filled again, so that every fault has
its turn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from tests.chaos.fault import Fault


@dataclass(frozen=True, kw_only=True)
class Beat:
    """Faults that strike in turn, so many seconds apart."""

    every_s: float
    faults: Sequence[str]
    fair: bool = False  # Whether every fault strikes equally often, whatever it weighs.
    jitter: float = 0.3  # Share of the pause by which it varies.


@dataclass(frozen=True, kw_only=True)
class Strike:
    """One fault at its time."""

    number: int
    at_s: float  # Seconds after the campaign began.
    fault: str
    lasts_s: float

    def __str__(self) -> str:
        lasts = f" for {self.lasts_s:.1f} s" if self.lasts_s else ""
        return f"{self.at_s:7.1f} {self.fault}{lasts}"


def schedule(seed: int, beats: Sequence[Beat], known: Mapping[str, Fault], seconds: float) -> list[Strike]:
    """Every strike of so many seconds, in the order of time."""
    found = []
    for place, beat in enumerate(beats):
        rng = Random(f"{seed}/beat/{place}")
        bag: list[str] = []
        at_s = rng.uniform(0.3, 1.0) * beat.every_s
        while at_s < seconds and beat.faults:
            bag = bag or _filled(rng, beat, known)
            name = bag.pop()
            lasts_s = rng.uniform(*known[name].lasts_s)
            if at_s + known[name].needs_s < seconds:
                found.append((at_s, name, lasts_s))
            at_s += beat.every_s * rng.uniform(1 - beat.jitter, 1 + beat.jitter)
    found.sort()
    return [
        Strike(number=number, at_s=at_s, fault=name, lasts_s=lasts_s)
        for number, (at_s, name, lasts_s) in enumerate(found)
    ]


def _filled(rng: Random, beat: Beat, known: Mapping[str, Fault]) -> list[str]:
    """Each fault at least once, the heavier ones more often."""
    times = {name: 1 if beat.fair else max(1, round(known[name].weight)) for name in beat.faults}
    bag = [name for name in beat.faults for _ in range(times[name])]
    rng.shuffle(bag)
    return bag
