"""The end of a run: timers close, locks go on, totals are counted, whoever waits for the outcome is told."""

from typing import Any

from app.domain.states import Run
from app.engine.transitions import locks
from app.engine.transitions.journal import Journal
from app.record.runs import runs

EVENT = {Run.COMPLETED: "run.completed", Run.FAILED: "run.failed", Run.CANCELLED: "run.cancelled"}


def finish(j: Journal, status: Run, *, output: dict[str, Any] | None = None, inherited: bool = False) -> None:
    """Make the run terminal; ``inherited`` is for a run whose effects, locks and hooks move to its retry."""
    if j.run["resource_id"] is not None and not inherited:
        locks.release_all(j)  # Before the run's last word: nothing follows it in the log.
    j.become(
        status,
        output=output,
        completed_at=j.now,
        expect_since=None,
        waiting_on=None,
        started_at=j.run["started_at"] or j.now,
    )
    j.close(str(status), hooks_too=not inherited)
    _tell_parent(j)
    error = {"code": j.run["error_code"], "message": j.run["error_message"], "step": j.run["error_step"]}
    j.event(EVENT[status], **({"output": output} if status == Run.COMPLETED else {"error": error}))


def _tell_parent(j: Journal) -> None:
    """Let the call of another run that waits for this one hear of its end."""
    parent, call = j.run["parent_run_id"], j.run["parent_step"]
    if call is not None and runs.is_open(j.tx, parent):
        j.poke(parent, "child", phase="forward", step=call)
