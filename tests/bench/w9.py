"""W9: what code workflows cost that wait, and how quickly they go on: suspended runs, signals, replays.

The runs are suspended by the workers as they are shipped, half of them asleep, half waiting for a signal.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg

from app.auth.keys import LOCAL
from app.config import load
from app.record.runs import runs
from app.services import workflows
from app.services.context import AppContext
from app.services.workflows import CodeOrder
from app.wiring import wire
from tasks.code import memo
from tests.bench import authored
from tests.bench.asking import percentiles
from tests.bench.session import CLIENTS, Session
from tests.bench.stage import Stage
from tests.bench.workload import FEW, Figure, Wrong
from tests.support.servers import until
from windlass.calls import Call, Info, Suspend, Suspended
from windlass.replay import replay

SUSPENDED = 10_000
FULL, QUICK = 200, 60  # Signals that are measured.
STEPS, REPLAYS = 1_000, 15  # Completed steps of the run that is replayed, and how often it is.
SETTLE_S, IDLE_S = 2.0, 10.0
WAITING = "SELECT count(*) FROM run WHERE status = 'waiting'"


class Waits:
    """Code workflows alone; `windlass-code-alone` is the same without anything suspended."""

    name = "W9"
    rounds = FEW
    candidates = ("windlass-code", "windlass-code-alone")

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._signals = QUICK if stage.quick else FULL

    def setup(self) -> None:
        """Nothing is shared."""

    def measure(self, candidate: str, round_: int) -> list[Figure]:
        """Park, watch that nothing happens, then wake runs one at a time, and replay a long one."""
        self._stage.close_session()
        session = self._stage.session("windlass-code")
        with _client(session) as client:
            if candidate == "windlass-code":
                client.suspend(SUSPENDED)
            idle = _idle(session)
            signals = [client.signalled() * 1000 for _ in range(self._signals)]
            return [*idle, *percentiles("signal", signals), *client.replays()]

    def teardown(self) -> None:
        """Nothing is shared."""


class _Client:
    """A client that starts runs and sends signals, in this process."""

    def __init__(self, session: Session, world: AppContext) -> None:
        self._session, self._world = session, world

    def start(self, name: str, *args: Any) -> str:
        run, _new = workflows.trigger(self._world, LOCAL, CodeOrder(workflow=name, args=args))
        return str(run["id"])

    def suspend(self, count: int) -> None:
        """Start so many runs, and wait until all of them wait."""
        names = [authored.sleeper.name, authored.waiter.name] * (count // 2)
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(self.start, names))
        until(lambda: self._session.recorded(WAITING) >= count, 600, "all runs are suspended", pause=0.2)

    def signalled(self) -> float:
        """Seconds from a signal until the step after it begins."""
        waiting, begun = self._session.recorded(WAITING), self._session.witness.count()
        run_id = self.start(authored.waiter.name)
        until(lambda: self._session.recorded(WAITING) > waiting, 30, "the run is suspended", pause=0.005)
        sent = time.monotonic()
        workflows.signal(self._world, LOCAL, run_id, "go", None)
        until(lambda: self._session.witness.count() > begun, 30, "the run goes on", pause=0.001)
        mark = self._session.witness.marks(begun)[0]
        if mark.run != run_id:
            raise Wrong(f"{mark.run} went on instead of {run_id}")
        return mark.moment - sent

    def replays(self) -> list[Figure]:
        """Of a run with many completed steps: its history is read, its function called up to the new call."""
        waiting = self._session.recorded(WAITING)
        run_id = self.start(authored.long.name, STEPS)
        until(lambda: self._session.recorded(WAITING) > waiting, 120, "the steps are done", pause=0.05)
        info = Info(run_id=run_id, workflow=authored.long.name, version=authored.long.version)
        took = [self._replay(info) for _ in range(REPLAYS)]
        return percentiles(f"replay-{STEPS}", took)

    def _replay(self, info: Info) -> float:
        begun = time.perf_counter()
        rows = self._world.db.read(lambda tx: runs.calls(tx, info.run_id))
        history = [memo(row) for row in rows if row["kind"] == "task"]
        outcome = replay(authored.long, [STEPS], {}, history, _Nobody(), info)
        took = (time.perf_counter() - begun) * 1000
        if len(history) != STEPS or not isinstance(outcome, Suspended):
            raise Wrong(f"{outcome} after {len(history)} steps")
        return took


class _Nobody:
    """A host that knows nothing beyond history: the first new call ends the pass."""

    def wait(self, calls: Sequence[Call], limit: int | None = None) -> Any:
        raise Suspend

    def __getattr__(self, name: str) -> Any:
        raise Wrong(f"the replay asked for {name}")


@contextmanager
def _client(session: Session) -> Iterator[_Client]:
    world = wire(load(session.env), role="api")
    try:
        yield _Client(session, world)
    finally:
        world.db.dispose()


def _idle(session: Session) -> list[Figure]:
    """What everything does together while nothing happens."""
    with psycopg.connect(session.env["DATABASE_URL"], autocommit=True) as connection:
        # For what was written before; else PostgreSQL does both by itself, sometimes while we watch.
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")
    _wait(SETTLE_S)
    before, written, begun = session.cpu(), session.transactions(), time.monotonic()
    _wait(IDLE_S)
    seconds = time.monotonic() - begun
    return [
        Figure("idle-cpu", (session.cpu() - before) / seconds * 1000, "CPU ms/s"),
        Figure("idle-commits", (session.transactions() - written) / seconds, "commits/s"),
    ]


def _wait(seconds: float) -> None:
    threading.Event().wait(seconds)


make = Waits
