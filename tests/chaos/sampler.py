"""Watches what must stay flat for hours: memory and files of processes, Redis, the bytes of a run."""

import json
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, median

import psutil
from redis.exceptions import RedisError
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from app.domain.errors import WindlassError
from app.record.tables import run
from tests.chaos.checks.evidence import Finding
from tests.chaos.site import ROLES, Site

EVERY_S = 20.0
SAMPLES = "samples.jsonl"
# A young process loads what it needs, and Python collects its oldest garbage seldom; it is judged afterwards.
SETTLED_MIN = 30.0
MIB = 1024 * 1024
MOST_A_MINUTE = {"MiB": 0.1, "files": 0.05}  # By unit, the last word of a series' name.
BYTES_A_RUN = "database bytes a run"
WARM_UP = 0.3  # Share of the soak after which bytes a run are compared: the first carry the empty tables.
MOST_TIMES = 1.1


@dataclass(frozen=True)
class Sample:
    """A value of a series; `life` tells processes that followed each other apart."""

    series: str
    life: str
    minute: float
    value: float


@dataclass(frozen=True)
class Growth:
    """How a series went, in the lives that had settled."""

    level: float  # The median.
    a_minute: float
    minutes: float  # Of all lives together.


class Sampler:
    """Takes a sample every so often, and keeps it in the folder of the evidence."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._began, self._next = time.monotonic(), 0.0
        self.samples: list[Sample] = []

    def look(self) -> None:
        """Take a sample when it is time."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + EVERY_S
        found = list(self._all((now - self._began) / 60))
        self.samples += found
        with (self._site.folder / SAMPLES).open("a") as file:
            file.writelines(json.dumps(asdict(one)) + "\n" for one in found)

    def _all(self, minute: float) -> Iterable[Sample]:
        for role in ROLES:
            for process in self._site.processes(role):
                with suppress(psutil.Error):
                    life = f"{process.pid} {process.create_time():.0f}"
                    yield Sample(f"{role} MiB", life, minute, _anonymous(process) / MIB)
                    yield Sample(f"{role} files", life, minute, process.num_fds())
        with suppress(RedisError):
            yield Sample("redis MiB", "", minute, self._site.redis.info("memory")["used_memory"] / MIB)
        with suppress(WindlassError, SQLAlchemyError):
            yield Sample(BYTES_A_RUN, "", minute, self._bytes_a_run())

    def _bytes_a_run(self) -> float:
        sqlite = self._site.db.dialect == "sqlite"
        size = "page_count * page_size FROM pragma_page_count(), pragma_page_size()"
        asked = text(f"SELECT {size}" if sqlite else "SELECT pg_database_size(current_database())")
        total = float(self._site.db.read(lambda tx: tx.value(asked)))
        runs = int(self._site.db.read(lambda tx: tx.value(select(func.count()).select_from(run))))
        return total / max(1, runs)


def _anonymous(process: psutil.Process) -> int:
    """Bytes of memory that are no file's: what is read of a library for the first time is no growth."""
    try:
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    except OSError:
        raise psutil.NoSuchProcess(process.pid) from None
    words = next((line.split() for line in lines if line.startswith("RssAnon:")), ("", "0"))
    return int(words[1]) * 1024


def growths(samples: Sequence[Sample]) -> dict[str, Growth]:
    """Each series of processes, and of Redis: level, and growth within lives, so that a new life is none."""
    lives: dict[str, dict[str, list[Sample]]] = defaultdict(lambda: defaultdict(list))
    for one in samples:
        if one.series != BYTES_A_RUN:
            lives[one.series][one.life].append(one)
    return {
        name: _growth([_settled(life) for life in found.values()]) for name, found in sorted(lives.items())
    }


def judge(samples: Sequence[Sample]) -> list[Finding]:
    """What grew, and what could not be judged."""
    found = []
    for name, growth in growths(samples).items():
        most = MOST_A_MINUTE[name.split()[-1]]
        if not growth.minutes:
            found.append(f"{name}: no process lived for more than {SETTLED_MIN:g} minutes")
        elif growth.a_minute > most:
            found.append(f"{name} grow by {growth.a_minute:.3f} a minute, more than {most:g}")
    of_runs = [one.value for one in samples if one.series == BYTES_A_RUN]
    of_runs = of_runs[int(len(of_runs) * WARM_UP) :]
    if not of_runs:
        found.append(f"{BYTES_A_RUN}: never seen")
    elif of_runs[-1] > MOST_TIMES * of_runs[0]:
        found.append(f"{BYTES_A_RUN}: {of_runs[-1]:.0f} in the end, {of_runs[0]:.0f} after the warm-up")
    return [Finding(number="soak", what=what) for what in found]


def _settled(life: Sequence[Sample]) -> Sequence[Sample]:
    return [one for one in life if one.minute - life[0].minute > SETTLED_MIN]


def _growth(lives: Sequence[Sequence[Sample]]) -> Growth:
    """The slope that all lives share: least squares around the mean of each."""
    lives = [life for life in lives if len(life) > 1]
    if not lives:
        return Growth(0.0, 0.0, 0.0)
    together = squares = 0.0
    for life in lives:
        when, what = fmean(one.minute for one in life), fmean(one.value for one in life)
        together += sum((one.minute - when) * (one.value - what) for one in life)
        squares += sum((one.minute - when) ** 2 for one in life)
    level = median(one.value for life in lives for one in life)
    return Growth(level, together / squares, sum(life[-1].minute - life[0].minute for life in lives))
