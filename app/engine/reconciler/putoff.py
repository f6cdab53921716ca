"""Work that could not be done just now, and when this process tries it again: later, after everything else.

A row that another transaction has locked, or a run that always raises, must not delay the others. An entry is
forgotten when its work succeeds, or when it was not a candidate for a minute.
"""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

FIRST_S, MOST_S = 0.5, 5.0
FORGET_S = 60.0


@dataclass
class _Wait:
    times: int
    until: float


class PutOff:
    """Which work is put off, how often, and until when."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waits: dict[Hashable, _Wait] = {}

    def __len__(self) -> int:
        return len(self._waits)

    def add(self, what: Hashable) -> int:
        """Put something off, longer each time; returns how often that was done."""
        times = self.times(what) + 1
        wait = min(MOST_S, FIRST_S * 2 ** min(times - 1, 10))
        self._waits[what] = _Wait(times, self._clock() + wait)
        return times

    def done(self, what: Hashable) -> None:
        """It has succeeded."""
        self._waits.pop(what, None)

    def holds(self, what: Hashable) -> bool:
        """Whether it is to be left alone for now."""
        known = self._waits.get(what)
        return known is not None and known.until > self._clock()

    def times(self, what: Hashable) -> int:
        """How often it was put off in a row."""
        known = self._waits.get(what)
        return 0 if known is None else known.times

    def forget_old(self) -> None:
        """Forget what nobody has asked for any more."""
        old = self._clock() - FORGET_S
        for what in [one for one, wait in list(self._waits.items()) if wait.until < old]:
            self._waits.pop(what, None)
