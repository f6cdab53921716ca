"""What a body logs, written into the run's log while the body runs: the heartbeat brings it there."""

import threading
from typing import Any

import structlog

from app.domain.events import EventType
from app.domain.rows.runs import StepRow
from app.engine.transitions.claim import Claim
from app.engine.transitions.journal import Journal, journal
from app.record.runs import event_rows, runs
from app.record.session import Database, Tx

log = structlog.get_logger(__name__)
PATIENCE_S = 1.0


class LiveLog:
    """The lines of one body. Each is written once: by the heartbeat, or with the outcome."""

    def __init__(self, db: Database, claimed: Claim, lines: list[dict[str, Any]]) -> None:
        self._db, self._claimed, self._lines = db, claimed, lines
        self._writing = threading.Lock()
        self._since: int | None = None  # The run's event number when these lines were tried first.

    def write(self) -> None:
        """Write the lines so far; whatever is in the way, they are kept for the next time."""
        with self._writing:
            taken = self._lines[:]  # The body may add more meanwhile, at the end.
            if not taken:
                return
            try:
                written = self._db.write(lambda tx: self._append(tx, taken), patience_s=PATIENCE_S)
            except Exception as error:  # The lease is renewed by the same thread, which has to go on.
                log.warning("log.unwritten", run_id=self._claimed.run["id"], error=str(error))
                return
            if written:
                del self._lines[: len(taken)]
                self._since = None

    def rest(self) -> list[dict[str, Any]]:
        """The lines that are to be written with the outcome, now that the body has ended."""
        with self._writing:
            return self._lines

    def _append(self, tx: Tx, lines: list[dict[str, Any]]) -> bool:
        """Under the fence of the claim, and without waiting: a held run must not hold up the heartbeat."""
        run_id, step = self._claimed.run["id"], self._claimed.step
        if not runs.lock_run_if_free(tx, run_id):
            return False
        with journal(tx, run_id) as j:
            row = j.one(step["phase"], step["key"])
            if row is None or row["status"] != "running" or row["fence"] != self._claimed.fence:
                return False
            for line in lines[self._told(j, row) :]:
                j.event(EventType.STEP_LOG, row, **line)
            reported = [line["message"] for line in lines if line.get("progress")]
            if reported:
                j.change(row, progress=reported[-1])
        return True

    def _told(self, j: Journal, row: StepRow) -> int:
        """How many of the lines are in the log: those of our own commit, whose answer was lost.

        Nobody else writes lines of this attempt before it is settled.
        """
        if self._since is None:
            self._since = int(j.run["event_seq"])
            return 0
        after = event_rows.of_types(j.tx, j.id, EventType.STEP_LOG, after=self._since)
        mine = (row["phase"], row["key"], row["attempt"])
        return sum((one["phase"], one["step"], one["attempt"]) == mine for one in after)
