"""How long the rules of this reconciler take: a slow one is logged, and reported with the heartbeat."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

log = structlog.get_logger(__name__)
SLOW_S = 5.0
REPORTED_S = 60.0  # A rule that was slow is reported for so long after it has ended.


class Watch:
    """The rules that run, and those that were slow lately; for several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began: dict[str, float] = {}
        self._slow: dict[str, tuple[float, float]] = {}  # When it ended, and how long it took.

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Measure a rule."""
        began = self._began[name] = self._clock()
        try:
            yield
        finally:
            took = self._clock() - began
            self._began.pop(name, None)
            if took > SLOW_S:
                self._slow[name] = (self._clock(), took)
                log.warning("reconcile.slow", rule=name, ms=round(took * 1000))

    def slow(self) -> dict[str, int]:
        """The slow rules, in milliseconds: those that still run, and those of the last minute."""
        now = self._clock()
        ended = {name: took for name, (at, took) in list(self._slow.items()) if now - at < REPORTED_S}
        under_way = {name: now - began for name, began in list(self._began.items())}
        late = {name: took for name, took in under_way.items() if took > SLOW_S}
        return {name: round(took * 1000) for name, took in sorted({**ended, **late}.items())}
