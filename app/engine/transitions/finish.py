"""The end of a run: timers close, locks go on, totals are counted, whoever waits for the outcome is told.

1. The resource no longer shows the work of this run (I18), and its locks go to the next runs in line (T13).
2. The run gets its last status, and its timers and hooks are closed. It is counted in the totals (I16).
3. The run that waits for this one gets a timer that is due at once.
4. The closing event is the last one (I3): only an operator's word and refused late results may follow it.

All of it is part of the transaction that ends the last step. There is no moment in which a run has ended and
still holds a machine.
"""

from typing import Any

from app.domain.events import EventType
from app.domain.rows.runs import RunRow
from app.domain.states import RunStatus
from app.engine.transitions import locks
from app.engine.transitions.journal import CHILD, Journal
from app.record.batches import outcome
from app.record.inventory import in_transit
from app.record.runs import runs

ENDED = {
    RunStatus.COMPLETED: "ended without its last step",
    RunStatus.FAILED: "failed",
    RunStatus.CANCELLED: "was cancelled",
}
EVENT = {
    RunStatus.COMPLETED: EventType.RUN_COMPLETED,
    RunStatus.FAILED: EventType.RUN_FAILED,
    RunStatus.CANCELLED: EventType.RUN_CANCELLED,
}


def finish(
    j: Journal, status: RunStatus, *, output: dict[str, Any] | None = None, inherited: bool = False
) -> None:
    """Make the run terminal; ``inherited`` is for a run whose effects, locks and hooks move to its retry."""
    # A retry takes over effects and locks: freeing them in between would let a run in line have the machine.
    if j.run["resource_id"] is not None and not inherited:
        _leave_resource(j, status)
        locks.release_all(j)  # Before the run's last word: nothing follows it in the log.
    if j.run["resource_type"] == "batch":
        outcome.ended(j.tx, j.run, str(status))
    over: RunRow = {"output": output, "completed_at": j.now, "expect_since": None, "waiting_on": None}
    if status == RunStatus.COMPLETED:
        over["started_at"] = j.run["started_at"] or j.now
    j.become(status, **over)
    j.close(str(status), hooks_too=not inherited)
    _tell_parent(j)
    error = {"code": j.run["error_code"], "message": j.run["error_message"], "step": j.run["error_step"]}
    j.event(EVENT[status], **({"output": output} if status == RunStatus.COMPLETED else {"error": error}))


def _leave_resource(j: Journal, status: RunStatus) -> None:
    """See that the resource does not show for ever that this run is at work on it, however the run ended.

    What undid the run has shown something else already; nothing did when it was abandoned, ended before
    its first step, or had its last steps skipped.
    """
    kind, resource_id = j.run["resource_type"], str(j.run["resource_id"])
    if kind not in in_transit.IN_TRANSIT:
        return
    line, retried = [j.id], j.run["retry_of"]
    while retried is not None:
        line.append(retried)
        retried = (runs.read_run(j.tx, retried) or {}).get("retry_of")
    abandoned = status == RunStatus.CANCELLED and j.run["cancel_mode"] == "abandon"
    ended = "was abandoned" if abandoned else ENDED[status]
    in_transit.end(j.tx, kind, resource_id, line, in_transit.reason(j.run, ended))
    if kind == "server" and status != RunStatus.COMPLETED:
        in_transit.unreserve(j.tx, resource_id, line)


def _tell_parent(j: Journal) -> None:
    """Let the call of another run that waits for this one hear of its end."""
    parent, call = j.run["parent_run_id"], j.run["parent_step"]
    if parent is not None and call is not None:
        j.arm_open(parent, CHILD, call)
