"""W6: recovery after kill -9 in the middle of a step; time from the kill until the step begins again.

The kill comes a moment after a renewal of the lease, when it has nearly all of its time left.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from math import ceil

from app.config import load
from app.host import worker
from app.wiring import celery_app
from tests.bench.body import Mark
from tests.bench.session import Session
from tests.bench.stage import Stage
from tests.bench.workload import FEW, Figure
from tests.support.servers import until

STEP_MS = 30_000  # Longer than every lease.
RENEWED_S, AFTER_S = 3.0, 0.2  # Windlass renews leases so often; the kill comes so much later.
PATIENCE_S = 60.0


class Recovery:
    """A whole host is lost, or a worker process alone (`recovery-worker`)."""

    name = "W6"
    candidates = ("windlass", "absurd", "dbos-direct")

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.rounds = 1 if stage.quick else FEW

    def setup(self) -> None:
        """Nothing is shared."""

    def measure(self, candidate: str, round_: int) -> list[Figure]:
        """One kill of each kind."""
        measured: dict[str, Callable[[], list[Figure]]] = {
            "windlass": lambda: [self._host(), self._worker()],
            "absurd": lambda: [self._absurd()],
            "dbos-direct": lambda: [self._dbos()],
        }
        return measured[candidate]()

    def teardown(self) -> None:
        """Nothing is shared."""

    def _host(self) -> Figure:
        """Everything on one host is gone at once, and another host has to wait for the lease."""
        session = self._stage.session("windlass-remote")
        mark = session.begin(STEP_MS)
        other = self._stage.launch((sys.executable, "-m", "tests.bench.host", "other"), session.env)
        try:
            settings = load(session.env)
            mains = celery_app(settings, worker=False).control
            both = 2 * len(worker.children(settings, reconcile=False))
            until(lambda: len(mains.ping(timeout=0.5) or ()) == both, PATIENCE_S, "the other host is there")
            return self._recovery("recovery", session, mark, session.workers[0].kill)
        finally:
            other.kill()

    def _worker(self) -> Figure:
        """A Celery worker with its pool is gone; its host and reconciler live."""
        session = self._stage.session("windlass")
        mark = session.begin(STEP_MS)
        family = session.workers[0].family()
        main = next(one for one in family if "default@%h" in one.cmdline() and mark.pid != one.pid)

        def kill() -> None:
            for process in [main, *main.children()]:
                process.kill()

        return self._recovery("recovery-worker", session, mark, kill)

    def _absurd(self) -> Figure:
        """One of eight worker processes is gone; another one has to wait for the claim's timeout."""
        session = self._stage.session("absurd")
        mark = session.begin(STEP_MS)
        return self._recovery("recovery", session, mark, lambda: os.kill(mark.pid, signal.SIGKILL))

    def _dbos(self) -> Figure:
        """A process is gone and starts again at once as the same executor: no other may take over."""
        session = self._stage.session("dbos-direct")
        mark = session.begin(STEP_MS)

        def restart() -> None:
            session.drivers.pop(0).kill()
            session.start_driver(0)

        return self._recovery("recovery", session, mark, restart)

    def _recovery(self, metric: str, session: Session, mark: Mark, kill: Callable[[], None]) -> Figure:
        """Seconds from the kill until the same step begins again."""
        due = _after_renewal(mark)
        until(lambda: time.monotonic() >= due, PATIENCE_S, "the moment of the kill", pause=0.005)
        seen, killed = session.witness.count(), time.monotonic()
        kill()
        until(lambda: session.witness.count() > seen, PATIENCE_S, "the step begins again", pause=0.005)
        again = session.witness.marks(seen)[0]
        assert again[:2] == mark[:2], f"{again} instead of {mark}"
        self._stage.close_session()
        return Figure(metric, again.moment - killed, "s")


def _after_renewal(mark: Mark) -> float:
    """The next moment right after a renewal of the step's lease."""
    renewals = max(1, ceil((time.monotonic() - AFTER_S - mark.moment) / RENEWED_S))
    return mark.moment + renewals * RENEWED_S + AFTER_S


make = Recovery
