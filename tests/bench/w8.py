"""W8: memory of every process after work, and bytes that one run of five steps takes in the database.

PSS counts a page that several processes share in equal parts; its sum is what a service takes of a machine.
"""

from collections.abc import Iterable

import psutil

from app.config import load
from tests.bench.asking import ORDER, RUNS, answering, post
from tests.bench.session import Session
from tests.bench.stage import Stage
from tests.bench.workload import FEW, Figure

FULL, QUICK = 2000, 300  # Runs whose bytes are counted.
SIZE = "SELECT pg_database_size(current_database())"
LITE = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
MIB = 1 << 20


class Footprint:
    """Windlass on both backends, and the peers that record what they do."""

    name = "W8"
    rounds = FEW
    candidates = ("windlass", "dbos-direct", "absurd", "procrastinate", "windlass-sqlite", "dbos-sqlite")

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._runs = QUICK if stage.quick else FULL

    def setup(self) -> None:
        """Nothing is shared."""

    def measure(self, candidate: str, round_: int) -> list[Figure]:
        """Bytes first, then memory: by then every process has worked."""
        session = self._stage.session(candidate)
        size = LITE if candidate.endswith("sqlite") else SIZE
        before = session.recorded(size)
        session.burst(self._runs)
        grown = (session.recorded(size) - before) / self._runs
        figures = [Figure("bytes-per-run", grown, "B"), *self._memory(session)]
        return figures + (self._api(session) if candidate.startswith("windlass") else [])

    def teardown(self) -> None:
        """Nothing is shared."""

    def _memory(self, session: Session) -> list[Figure]:
        """Of what does the work; Windlass's own processes one by one."""
        family = [process for running in session.workers for process in running.family()]
        if not family:  # The drivers do the work.
            family = [process for running in session.drivers for process in running.family()]
        pss = sum(process.memory_full_info().pss for process in family) / MIB
        return [Figure("workers-pss", pss, "MiB"), *_each(family)]

    def _api(self, session: Session) -> list[Figure]:
        settings = load(session.env)
        with answering(self._stage.api(settings), settings.port) as server:
            post(settings.port, RUNS, ORDER, clients=8, count=200)
            found = _each(server.family())
        # These runs are still worked at, and the session does not know of them: it would count their steps
        # among those of the next workload.
        self._stage.close_session()
        return found


def _each(family: Iterable[psutil.Process]) -> list[Figure]:
    """The largest process of each role: its private share and its resident size."""
    found: dict[str, tuple[float, float]] = {}
    for process in family:
        memory = process.memory_full_info()
        role = _role(process)
        if role is not None and memory.pss / MIB > found.get(role, (0.0, 0.0))[0]:
            found[role] = (memory.pss / MIB, memory.rss / MIB)
    return [
        figure
        for role, (pss, rss) in sorted(found.items())
        for figure in (Figure(f"{role}-pss", pss, "MiB"), Figure(f"{role}-rss", rss, "MiB"))
    ]


def _role(process: psutil.Process) -> str | None:
    """What a process of Windlass is; None for those of others. A forked one shows its parent's words."""
    words = process.cmdline()
    forked = words == (process.parent() or process).cmdline()
    for role, word in (("worker-default", "default@%h"), ("worker-bmc", "bmc@%h"), ("api", "app.serving")):
        if word in words:
            return f"{role}-{'child' if forked else 'main'}"
    return next((role for role in ("reconciler", "tests.bench.host") if role in words), None)


make = Footprint
