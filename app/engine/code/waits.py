"""What ends the waits of code workflows: time, another run, and what others told of a run's end."""

from typing import Any

from app.domain.events import EventType
from app.domain.rows.runs import StepRow, TimerRow
from app.domain.states import TERMINAL, RunStatus, StepOutcome, StepStatus
from app.engine.code import limits
from app.engine.transitions import operator_actions
from app.engine.transitions.advance import call_ended
from app.engine.transitions.journal import MAIN, Journal, step_of
from app.record.runs import runs


def end(j: Journal, call: StepRow, *, value: Any = None, error: dict[str, Any] | None = None) -> None:
    """A call that waited has its result, or has failed."""
    if error is None:
        output = {"value": value}
        j.move(call, StepStatus.COMPLETED, output=output, outcome=StepOutcome.DONE, completed_at=j.now)
        j.event(EventType.STEP_COMPLETED, call, output=output)
    else:
        j.move(call, StepStatus.FAILED, error=error, completed_at=j.now)
        j.event(EventType.STEP_FAILED, call, error=error)
    call_ended(j, call)


def slept(j: Journal, timer: TimerRow) -> None:
    """A sleep is over."""
    call = _waiting(j, timer)
    if call is not None:
        end(j, call)


def child_ended(j: Journal, timer: TimerRow) -> None:
    """The run that a call waits for has ended."""
    call = _waiting(j, timer)
    # Not by the id that the call has stored: a child that went on afresh, or was retried while held, has a
    # newer run for the same call, and the call waits for that one.
    child = runs.newest_child(j.tx, j.id, timer["step"] or "")
    if call is None or (child is not None and child["status"] not in TERMINAL):
        return
    if child is None:
        end(j, call, error=_gone(call))
        return
    if child["status"] == RunStatus.COMPLETED:
        end(j, call, value=(child["output"] or {}).get("value"))
        return
    error = {
        "code": child["error_code"] or "CANCELLED",
        "message": child["error_message"] or f"the run {child['id']} was {child['status']}",
        "details": {
            "type": "windlass:ChildFailed",
            "runId": child["id"],
            "status": child["status"],
            "childType": _type_of(j, child["id"]),
        },
    }
    end(j, call, error=error)


def parent_stopped(j: Journal, _timer: TimerRow) -> None:
    """Nobody waits for this run any more: the run that started it was stopped."""
    reason = f"its parent {j.run['parent_run_id']} was stopped"
    operator_actions.cancel(j, j.run["triggered_by"], reason=reason)


def stop_following(j: Journal) -> None:
    """The same for a run that went on as a fresh one just when it was to be stopped."""
    # The stop was armed for the run that ended just then (`timers.disarm` leaves it open for this).
    following = (j.run["output"] or {}).get("restartedAs")
    if following is not None and runs.is_open(j.tx, following):
        j.arm_other(following, "stop")


def worked_too_long(j: Journal, timer: TimerRow) -> None:
    """The function has worked for as long as its run may, waits not counted."""
    main = step_of(j, timer)
    # Ending a run that an operator has paused would take the decision from him: nothing is left of its time,
    # and the next advance ends it.
    if j.status == RunStatus.PAUSED and main is not None and main["status"] != StepStatus.RUNNING:
        j.change(main, deadline_at=None, given={**(main["given"] or {}), "leftMs": 0})  # Once it goes on.
        return
    if j.status not in (RunStatus.RUNNING, RunStatus.WAITING, RunStatus.PAUSED):
        return
    limit = (j.run["limits"] or {}).get("executionTimeoutMs")
    message = f"{j.run['type']} has worked for {limit} ms, which is its limit (executionTimeout)"
    limits.reach(j, limits.TOO_LONG, message)


def _gone(call: StepRow) -> dict[str, Any]:
    details = {"type": "windlass:ChildFailed", "runId": call["ref"], "status": "gone"}
    message = f"the run {call['ref']} has ended and was deleted before its result was taken"
    return {"code": "NOT_FOUND", "message": message, "details": details}


def _type_of(j: Journal, run_id: str) -> str | None:
    """The type of the exception that left the function of a run."""
    main = runs.some_steps(j.tx, run_id, "forward", MAIN).get(MAIN)
    details: dict[str, Any] = ((main["error"] if main else None) or {}).get("details") or {}
    return details.get("type")


def _waiting(j: Journal, timer: TimerRow) -> StepRow | None:
    call = step_of(j, timer)
    return call if call is not None and call["status"] == StepStatus.WAITING else None
