"""What a run does when a timer says that a child has ended, or that its parent was paused or resumed."""

from collections.abc import Sequence

from app.domain.rows.runs import TimerRow
from app.domain.states import TERMINAL, RunStatus, StepStatus
from app.engine.code import waits
from app.engine.transitions import graph, operator_actions
from app.engine.transitions.advance import runnable
from app.engine.transitions.journal import GRAPH, Journal, is_member
from app.record.runs import runs


def children_ended(j: Journal, timers: Sequence[TimerRow]) -> None:
    """Runs that steps of this one wait for have ended."""
    # The timer may be fired late, or twice: what it says was true when it was armed, so everything is read
    # anew.
    if j.status in TERMINAL:
        return
    steps = j.some("forward", GRAPH, *{timer["step"] for timer in timers})
    members = [step for step in steps.values() if is_member(step)]
    if members:
        graph.children_ended(j, steps[GRAPH], members)
    for timer in timers:
        step = steps.get(timer["step"] or "")
        if step is not None and step["kind"] == "graph":
            _undo_goes_on(j, step["key"])
        elif step is None or not is_member(step):
            waits.child_ended(j, timer)


def parent_moved(j: Journal, _timer: TimerRow) -> None:
    """The parent was paused, or let go: do as it does. What it is now counts, and not what it was."""
    parent = runs.read_run(j.tx, j.run["parent_run_id"] or "")
    # Read without the parent's lock (it would be a second run): should it move once more meanwhile, it arms
    # this timer again.
    stands = parent is not None and parent["status"] == RunStatus.PAUSED
    actor, reason = j.run["triggered_by"], f"its batch {j.run['parent_run_id']}"
    if stands and j.status in operator_actions.PAUSABLE:
        operator_actions.act(j, "pause", actor, reason=f"{reason} is paused")
    elif not stands and j.status == RunStatus.PAUSED:
        operator_actions.act(j, "unpause", actor, reason=f"{reason} goes on")


def _undo_goes_on(j: Journal, key: str) -> None:
    """The run that undoes a graph has ended: its undo need not wait for its time."""
    undo = j.one("comp", key)
    # A shortcut: the undo also polls that run, so nothing depends on this.
    if j.status == RunStatus.COMPENSATING and undo is not None and undo["status"] == StepStatus.RETRY_WAIT:
        runnable(j, undo)
