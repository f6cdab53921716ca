"""Does what a schedule says to a site: strikes, keeps the evidence, heals."""

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from random import Random

from tests.chaos.fault import Fault, Injection
from tests.chaos.schedule import Strike
from tests.chaos.site import Site

LOG = "faults.jsonl"
TOO_LATE_S = 20.0  # A strike that others kept waiting for longer is dropped.
MOST_OF_A_KIND = 3  # Under way at a time: somebody has to be left to work.


class Storm:
    """The faults of one campaign, struck and healed by the thread that calls `tend`.

    Faults of single processes may overlap with each other and with one fault of the broker or the database;
    two of those never overlap, and a fault that wants to be alone waits for all others and keeps them
    waiting.
    """

    def __init__(
        self,
        site: Site,
        known: Mapping[str, Fault],
        strikes: Sequence[Strike],
        *,
        seed: int,
        say: Callable[[str], None],
    ) -> None:
        self.injections: list[Injection] = []
        self.refused: Counter[str] = Counter()  # Strikes that could not be done, by fault.
        self._site, self._known, self._seed, self._say = site, known, seed, say
        self._due = list(strikes)
        self._began = time.monotonic()
        self._active: list[tuple[float, Fault, Injection]] = []

    @property
    def over(self) -> bool:
        """Whether nothing is left to strike."""
        return not self._due

    def tend(self) -> None:
        """Heal what has lasted long enough, and strike what is due and may strike now."""
        for one in [one for one in self._active if one[0] <= self._now()]:
            self._heal(one)
        for strike in [one for one in self._due if one.at_s <= self._now()]:
            fault = type(self._known[strike.fault])()  # Of its own, since two of a kind may be under way.
            if self._may(fault):
                self._due.remove(strike)
                self._strike(strike, fault)
            elif self._now() > strike.at_s + TOO_LATE_S:
                self._due.remove(strike)
                self.refused[fault.name] += 1

    def calm(self) -> None:
        """Heal everything, and strike nothing more."""
        self._due.clear()
        for one in list(self._active):
            self._heal(one)

    def _may(self, fault: Fault) -> bool:
        under_way = [one for _, one, _ in self._active]
        if any(one.alone for one in under_way) or (fault.alone and under_way):
            return False
        if sum(one.name == fault.name for one in under_way) >= MOST_OF_A_KIND:
            return False
        return fault.scope == "process" or all(one.scope == "process" for one in under_way)

    def _strike(self, strike: Strike, fault: Fault) -> None:
        done = fault.strike(self._site, Random(f"{self._seed}/strike/{strike.number}"))
        if done is None:
            self.refused[fault.name] += 1
            return
        self._say(f"{self._now():7.1f} s  {fault.name}: {done.what}")
        self.injections.append(done)
        one = (self._now() + strike.lasts_s, fault, done)
        self._active.append(one)
        if strike.lasts_s == 0:
            self._heal(one)

    def _now(self) -> float:
        """Seconds since the storm began."""
        return time.monotonic() - self._began

    def _heal(self, one: tuple[float, Fault, Injection]) -> None:
        self._active.remove(one)
        _, fault, injection = one
        fault.heal(self._site)
        if fault.lasts_s != (0.0, 0.0) or fault.scope != "process":
            injection.until = round(time.time() * 1000)
        with (self._site.folder / LOG).open("a") as file:
            file.write(json.dumps(asdict(injection)) + "\n")
