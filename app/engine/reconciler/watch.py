"""How long the looks of this reconciler take: one that takes long is logged, and told with its beat."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

log = structlog.get_logger(__name__)
SLOW_S = 5.0
TOLD_S = 60.0  # A look that was slow is told for so long after it has ended.


class Watch:
    """The looks that are under way, and those that took long lately; several threads may look."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began: dict[str, float] = {}
        self._slow: dict[str, tuple[float, float]] = {}  # When it ended, and how long it took.

    @contextmanager
    def looking(self, name: str) -> Iterator[None]:
        """While somebody looks."""
        began = self._began[name] = self._clock()
        try:
            yield
        finally:
            took = self._clock() - began
            self._began.pop(name, None)
            if took > SLOW_S:
                self._slow[name] = (self._clock(), took)
                log.warning("reconcile.slow", look=name, ms=round(took * 1000))

    def slow(self) -> dict[str, int]:
        """The looks that take too long, in milliseconds: those under way, and those of the last minute."""
        now = self._clock()
        ended = {name: took for name, (at, took) in list(self._slow.items()) if now - at < TOLD_S}
        under_way = {name: now - began for name, began in list(self._began.items())}
        late = {name: took for name, took in under_way.items() if took > SLOW_S}
        return {name: round(took * 1000) for name, took in sorted({**ended, **late}.items())}
