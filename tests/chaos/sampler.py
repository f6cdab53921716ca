"""Watches what must stay flat for hours: memory of each role, Redis, bytes of the database per run."""

import time
from contextlib import suppress
from itertools import pairwise
from statistics import linear_regression

from redis.exceptions import RedisError
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from app.domain.errors import WindlassError
from app.record.tables import run
from tests.chaos.checks.evidence import Finding
from tests.chaos.site import Site

EVERY_S = 20.0
WARM_UP = 0.3  # Share of the samples that are not judged.
MIB = 1024 * 1024
MOST_MIB_A_MINUTE = 1.0
MOST_GROWTH = 1.1  # Bytes per run at the end, compared with those after the warm-up.


class Sampler:
    """Takes a sample every so often; `judge` says what was not flat."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._next = 0.0
        self.samples: dict[str, list[tuple[float, float]]] = {}  # By name: minutes, value.

    def look(self) -> None:
        """Take a sample when it is time."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + EVERY_S
        for role, size in self._site.memory().items():
            self._note(f"{role} MiB", now, size / MIB)
        with suppress(RedisError):
            self._note("redis MiB", now, self._site.redis.info("memory")["used_memory"] / MIB)
        with suppress(WindlassError, SQLAlchemyError):
            self._note("database bytes a run", now, self._bytes_a_run())

    def slopes(self) -> dict[str, float]:
        """How much each grew a minute after the warm-up."""
        return {name: _slope(_warm(taken)) for name, taken in sorted(self.samples.items())}

    def judge(self) -> list[Finding]:
        """What grew."""
        found = []
        for name, slope in self.slopes().items():
            if name.endswith("MiB") and slope > MOST_MIB_A_MINUTE:
                found.append(Finding(number="soak", what=f"{name} grow by {slope:.2f} a minute"))
        per_run = [value for _, value in _warm(self.samples.get("database bytes a run", []))]
        if per_run and per_run[-1] > MOST_GROWTH * per_run[0]:
            what = f"a run takes {per_run[-1]:.0f} bytes in the database, {per_run[0]:.0f} in the beginning"
            found.append(Finding(number="soak", what=what))
        return found

    def _note(self, name: str, now: float, value: float) -> None:
        self.samples.setdefault(name, []).append((now / 60, value))

    def _bytes_a_run(self) -> float:
        sqlite = self._site.db.sqlite
        size = "page_count * page_size FROM pragma_page_count(), pragma_page_size()"
        asked = text(f"SELECT {size}" if sqlite else "SELECT pg_database_size(current_database())")
        total = float(self._site.db.read(lambda tx: tx.value(asked)))
        runs = int(self._site.db.read(lambda tx: tx.value(select(func.count()).select_from(run))))
        return total / max(1, runs)


def _warm(taken: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return taken[int(len(taken) * WARM_UP) :]


def _slope(taken: list[tuple[float, float]]) -> float:
    """Growth a minute; a process that was killed begins anew, so only what it gained in one life counts."""
    if len(taken) < 3:
        return 0.0
    gained, sums = 0.0, [(taken[0][0], 0.0)]
    for (_, before), (minute, value) in pairwise(taken):
        gained += max(0.0, value - before) if value >= before * 0.9 else 0.0
        gained -= max(0.0, before - value) if value >= before * 0.9 else 0.0
        sums.append((minute, gained))
    minutes, values = zip(*sums, strict=True)
    return float(linear_regression(minutes, values).slope)
