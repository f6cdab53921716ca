"""The way back: nothing new starts, running steps end, then what happened is undone in reverse order.

1. Expect no further message, and remember what the run is to become (``goal``).
2. Steps that run go on to their end; their results are stored. Undoing a step while it works could undo it
   before it acts. The last one to end comes here again.
3. ``hold``: keep effects and locks for an operator. ``keep`` and ``abandon``: end as it is.
4. Otherwise write all undos as rows, in the transaction that decides it: one for each forward step that
   completed or may have happened, newest first, each with its own attempts and patience. A crash leaves
   either no undo or all of them, and the log says which.
5. One undo after the other, each claimed like a step. The next one begins when the last is done.
6. An exhausted undo leaves the run open for an operator; it is never silently "failed".
"""

from collections.abc import Sequence
from typing import Any

from app.domain.events import EventType
from app.domain.plan import SPACING, PlannedStep
from app.domain.rows.runs import StepRow
from app.domain.states import STEP_DONE, RunStatus, StepOutcome, StepStatus
from app.engine.transitions.finish import finish
from app.engine.transitions.journal import Journal, is_member
from app.engine.transitions.step_rows import plan_facts, step_row
from app.record.runs import hooks, runs, timers
from chains import catalogue

MAY_HAVE_HAPPENED = frozenset({StepOutcome.DONE, StepOutcome.UNKNOWN})
INTERRUPTIBLE = frozenset({StepStatus.WAITING, StepStatus.RETRY_WAIT})


def stop(j: Journal, goal: RunStatus, *, hold: bool = False) -> None:
    """Start nothing new. Once no step and no child of a graph runs: hold the run, undo it, or end it."""
    # `redispatch` publishes whatever is expected, whatever the status of the run: an expectation that stayed
    # would be published again and again, and nobody may claim it.
    j.set(goal=str(goal), expect_since=None)
    steps = j.steps()
    children = [row for row in steps if is_member(row) and row["status"] == StepStatus.WAITING]
    if j.run["cancel_mode"] == "abandon":
        children = []
    if children or any(row["status"] == StepStatus.RUNNING for row in steps):
        if j.status != RunStatus.CANCELLING:
            j.become(RunStatus.CANCELLING, waiting_on=None)
            for row in children:
                j.arm_other(str(row["ref"]), "stop")
        return
    if hold and _is_worth_holding(j, steps):
        _hold(j, steps)
    elif j.run["cancel_mode"] == "abandon" or j.run["on_failure"] == "keep":
        _interrupt(j, steps)
        finish(j, goal)
    else:
        _compensate(j, goal, steps)


def settled_while_stopping(j: Journal) -> None:
    """A step ended while its run was stopping: go on when it was the last one."""
    # A cancel that came while a failure was being stopped wins: the run ends as cancelled and is not held.
    cancelled = j.run["cancel_requested_at"] is not None
    goal = RunStatus.CANCELLED if cancelled else RunStatus(j.run["goal"] or RunStatus.FAILED)
    stop(j, goal, hold=goal == RunStatus.FAILED and j.run["on_failure"] == "hold")


def next_undo(j: Journal) -> None:
    """Enqueue the next undo, or end the run when all is undone; an open failed undo holds everything."""
    line = j.line("comp")
    for row in line:
        if row["status"] in STEP_DONE:
            continue
        if row["status"] == StepStatus.PENDING:
            j.set(waiting_on=None)
            j.enqueue(row, line)
        return
    j.event(EventType.RUN_COMPENSATED)
    finish(j, RunStatus(j.run["goal"] or RunStatus.FAILED))


def undone(j: Journal, undo: StepRow) -> None:
    """Mark the forward step of a completed undo, then go on."""
    forward = j.one("forward", undo["undoes"] or "")
    if forward is not None:
        j.change(forward, compensated_at=j.now)
    j.event(EventType.STEP_COMPENSATED, undo, undoes=undo["undoes"])
    next_undo(j)


def undo_exhausted(j: Journal, undo: StepRow) -> None:
    """Hold everything until an operator retries, skips or resolves the undo."""
    waiting = {
        "kind": "operator",
        "step": undo["key"],
        "phase": "comp",
        "since": j.now,
        "error": undo["error"],
    }
    j.become(RunStatus.COMPENSATION_FAILED, waiting_on=waiting, expect_since=None)
    j.event(EventType.RUN_NEEDS_OPERATOR, undo, reason="an undo is exhausted")


def block(j: Journal, step: StepRow, facts: dict[str, Any]) -> None:
    """Stop at a step that may have happened and must not be repeated, until an operator knows."""
    _expect_nothing(j, j.steps())
    waiting = {"kind": "operator", "step": step["key"], "since": j.now, "error": facts}
    j.set(error_code=facts["code"], error_message=facts["message"], error_step=step["key"])
    j.become(RunStatus.BLOCKED, waiting_on=waiting, expect_since=None)
    j.event(EventType.RUN_BLOCKED, step, error=facts)


def _expect_nothing(j: Journal, steps: Sequence[StepRow]) -> None:
    """Members that were enqueued are enqueued again when the run goes on."""
    for row in steps:
        if row["expect_since"] is not None:
            j.change(row, expect_since=None)


def _is_worth_holding(j: Journal, steps: Sequence[StepRow]) -> bool:
    """Whether something was done, or may have been, that an operator would keep.

    A type that holds unless told otherwise does not hold back a name, a lock and a quota for nothing. Whoever
    asks another type to hold, or a code workflow, is taken at his word.
    """
    if not catalogue.holds(j.run["type"]):
        return True
    known: dict[str, Any] = dict(j.run["input"] or {})
    for row in sorted(steps, key=lambda row: int(row["ordinal"])):
        known |= row["output"] or {}
        may_have = row["outcome"] in MAY_HAVE_HAPPENED and row["compensated_at"] is None
        if row["phase"] == "forward" and may_have and catalogue.has_effect(row["name"], known):
            return True
    return False


def _hold(j: Journal, steps: Sequence[StepRow]) -> None:
    _expect_nothing(j, steps)
    hold_ms = catalogue.hold_ms(j.run["type"])
    j.arm("hold", j.now + hold_ms)
    waiting = {"kind": "operator", "step": j.run["error_step"], "until": j.now + hold_ms, "since": j.now}
    j.become(RunStatus.FAILED_HELD, waiting_on=waiting)
    j.event(EventType.RUN_HELD, until=j.now + hold_ms)


def _interrupt(j: Journal, steps: Sequence[StepRow]) -> None:
    for row in steps:
        if row["phase"] == "forward" and row["status"] in INTERRUPTIBLE:
            j.move(row, StepStatus.CANCELLED, expect_since=None, completed_at=j.now)
            j.event(EventType.STEP_CANCELLED, row)
            if row["kind"] == "child":
                _stop_child(j, row)
        # A member that was published and not claimed: its message will be dropped, which is no loss.
        elif row["expect_since"] is not None:
            j.change(row, expect_since=None)
    timers.disarm(j.tx, j.id)
    hooks.expire(j.tx, j.id)


def _stop_child(j: Journal, call: StepRow) -> None:
    child = runs.newest_child(j.tx, j.id, call["key"])
    if child is not None:
        j.arm_other(child["id"], "stop")


def _compensate(j: Journal, goal: RunStatus, steps: Sequence[StepRow]) -> None:
    _interrupt(j, steps)
    # "Completed or may have happened" is decided by the outcome and never by the status: a step whose worker
    # died is not completed, and its effect may stand. Chaos plants each of these conditions wrongly: "undo of
    # an unknown outcome skipped", "compensation of a step never started", "lost reverse order".
    undo = [
        row
        for row in sorted(steps, key=lambda row: -int(row["ordinal"]))
        if row["phase"] == "forward"
        and row["undoable"]
        and row["outcome"] in MAY_HAVE_HAPPENED
        and row["compensated_at"] is None
    ]
    if not undo:
        finish(j, goal)
        return
    rows = [_undo_row(j.id, row, place) for place, row in enumerate(undo, 1)]
    runs.insert_steps(j.tx, rows)
    j.become(RunStatus.COMPENSATING, waiting_on=None)
    j.event(EventType.RUN_COMPENSATING, goal=str(goal), steps=[plan_facts(row) for row in rows])
    j.enqueue(j.line("comp")[0], j.line("comp"))


def _undo_row(run_id: str, forward: StepRow, place: int) -> StepRow:
    step = catalogue.known_step(forward["name"])  # None: of another release, whose workers will undo it.
    undoing = step and step.undoing
    planned = PlannedStep(
        key=forward["key"],
        name=forward["name"],
        ordinal=place * SPACING,
        kind="task",
        queue=(undoing and undoing.queue) or forward["queue"],
        # Copied, so that the undo needs neither the plan nor the author's function, which may have changed
        # since.
        values=forward["given"] or {},
        timeout_ms=undoing.timeout_ms if undoing else forward["timeout_ms"] if step is None else 60_000,
    )
    return step_row(run_id, planned, phase="comp", undoes=forward["key"])
