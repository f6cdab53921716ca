"""Decide what follows a step: publish the next one, open or join a fan-out, finish or compensate the run.

1. Take the main line in order and find the first step that is not done.
2. It is pending: publish it under a new generation. A fan-out is opened instead, and may be over at once,
   when it has no members.
3. It waits for a timer: the run waits with it. It is running or an open fan-out: its end calls `advance`
   again.
4. None is left: the run has completed, unless a member that came too late for its join is still at work.

Nothing is remembered between two calls. Whoever is in doubt calls it once more: it decides from the rows
alone.
"""

from typing import Any

from app.domain.errors import PlanError
from app.domain.events import EventType
from app.domain.rows.runs import StepRow
from app.domain.states import STEP_DONE, RunStatus, StepStatus
from app.engine.transitions.compensate import block, settled_while_stopping, stop
from app.engine.transitions.fan_out import blocks, close_fan_out, count_branch, group_of, open_fan_out
from app.engine.transitions.finish import finish
from app.engine.transitions.journal import FAN_OUT, Journal, is_call
from app.engine.transitions.step_rows import collected, waits_for
from app.record.runs import runs

CALL = "code.call"  # A call of a code workflow that has a message of its own.
MOVING = frozenset({RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.WAITING})


def advance(j: Journal) -> None:
    """Look at the main line and do what is next; safe to call at any time."""
    # A run that is paused, held, blocked or being stopped: whoever lets it go on calls this again.
    if j.status not in MOVING:
        return
    line = j.line("forward")
    for row in line:
        if row["status"] in STEP_DONE:
            continue
        if row["status"] == StepStatus.PENDING:
            _moving(j)
            if row["kind"] not in FAN_OUT:
                j.enqueue(row, line)
                return
            j.set(expect_since=None)
            if row["kind"] == "graph":  # It opens, as all that it does, in a turn of its own.
                j.arm_other(j.id, "graph")
                return
            if not _opened(j, row, line):
                return
            if row["status"] in STEP_DONE:
                continue
        elif row["status"] in (StepStatus.WAITING, StepStatus.RETRY_WAIT) and row["kind"] not in FAN_OUT:
            j.become(RunStatus.WAITING, waiting_on=waits_for(row))
        return
    steps = j.steps()
    # A straggler of a closed join may still run. Its end comes here again; if the run ended now, that end
    # would follow the last event of the log (I3; test_the_run_waits_for_a_straggler_before_it_ends).
    if not any(row["status"] == StepStatus.RUNNING for row in steps):
        for row in steps:  # Members that came too late for their join, and wait for something.
            if row["status"] in (StepStatus.RETRY_WAIT, StepStatus.WAITING):
                j.move(row, StepStatus.CANCELLED, completed_at=j.now)
                j.event(EventType.STEP_CANCELLED, row)
        finish(j, RunStatus.COMPLETED, output=collected(line))


def succeeded(j: Journal, step: StepRow, *, chained: bool = False) -> None:
    """A forward step is done; ``chained`` says that the caller's own chain carries the next link already."""
    if j.status == RunStatus.CANCELLING:
        settled_while_stopping(j)
    elif is_call(step):
        call_ended(j, step)
    elif step["branch"]:
        _branch_on(j, step)
    elif chained and j.status == RunStatus.RUNNING:
        # The same generation: what is expected is the next link of the caller's chain, which a new generation
        # would make drop itself.
        j.set(expect_since=j.now, expect_queue=_next_queue(j, step))
    else:
        advance(j)


def failed(j: Journal, step: StepRow, error: dict[str, Any]) -> None:
    """A forward step has failed for good: its fan-out judges, or its run holds, turns back, or asks."""
    if is_call(step):
        if j.status == RunStatus.CANCELLING:
            settled_while_stopping(j)
        else:
            call_ended(j, step)
        return
    # Before its fan-out counts it: nothing may be decided, undone or repeated while nobody knows what the
    # step did (chaos: "an order with an unknown outcome does not wait for an operator").
    if blocks(step) and j.status != RunStatus.CANCELLING:
        block(j, step, error)
        return
    if step["branch"]:
        counted = count_branch(j, step, failed=True)
        if j.status == RunStatus.CANCELLING:
            settled_while_stopping(j)
            return
        if counted is None:
            advance(j)
            return
        group, verdict = counted
        if verdict is None:
            return
        if verdict == "completed":
            close_fan_out(j, group)
            advance(j)
            return
        j.move(group, StepStatus.FAILED, error=error, completed_at=j.now)
        j.event(EventType.STEP_FAILED, group, error=error)
    # The first failure is the reason of the run's end; others come from steps that end while it is stopped.
    if j.run["error_code"] is None:
        j.set(error_code=error["code"], error_message=error["message"], error_step=step["key"])
    if j.status == RunStatus.CANCELLING:
        settled_while_stopping(j)
    else:
        stop(j, RunStatus.FAILED, hold=j.run["on_failure"] == "hold")


def runnable(j: Journal, step: StepRow) -> None:
    """A wait is over: the step may be claimed again; a paused run rings when it is let go."""
    # A hook may have been quicker than the timer, which would otherwise end the next wait too early. The
    # deadline stays: it bounds the whole operation.
    j.disarm(step, "retry", "poll")
    j.move(step, StepStatus.PENDING, retry_at=None)
    j.event(EventType.STEP_READY, step)
    if is_call(step) and step["name"] != CALL:  # It is the function that makes it again.
        call_ended(j, step)
        return
    if j.status == RunStatus.WAITING and not step["branch"]:
        j.become(RunStatus.RUNNING, waiting_on=None)
    if j.status in MOVING or j.status == RunStatus.COMPENSATING:
        j.set(waiting_on=None)
        j.enqueue(step, j.line(step["phase"], step["branch"]))


def call_ended(j: Journal, call: StepRow) -> None:
    """A call for which a function waits has ended; after the last one the function goes on."""
    main = group_of(j, call)
    # A function that is at work finds the row when it comes to the call, and its next wait counts anew.
    # Counting here as well would end that wait too early (I10).
    if main is None or main["status"] != StepStatus.WAITING:
        return
    j.change(main, pending=main["pending"] - 1)
    if not main["pending"]:
        runnable(j, main)
    elif (main["given"] or {}).get("limit") is not None:
        begin_calls(j, main)


def begin_calls(j: Journal, main: StepRow) -> None:
    """Let calls of ctx.parallel begin, up to its limit; one without a body is begun by the function."""
    limit = (main["given"] or {}).get("limit")
    idle, all_idle = runs.idle_branches(j.tx, j.id, main["key"], limit)
    room = len(idle) if limit is None else max(0, limit - (main["pending"] - all_idle))
    for branch in idle[:room]:
        line = j.line("forward", branch)
        if j.status not in MOVING or line[0]["name"] != CALL:
            runnable(j, main)
            return
        j.enqueue(line[0], line)


def _branch_on(j: Journal, step: StepRow) -> None:
    rest = [row for row in j.line("forward", step["branch"]) if row["ordinal"] > step["ordinal"]]
    if rest and rest[0]["status"] == StepStatus.PENDING:
        if j.status in MOVING:
            j.enqueue(rest[0], rest)
        return
    counted = count_branch(j, step, failed=False)
    if counted is not None and counted[1] != "completed":
        return
    if counted is not None:
        close_fan_out(j, counted[0])
    advance(j)


def _next_queue(j: Journal, step: StepRow) -> str | None:
    after = (row for row in j.line("forward") if row["ordinal"] > step["ordinal"])
    return next((str(row["queue"]) for row in after), None)


def _moving(j: Journal) -> None:
    if j.status == RunStatus.WAITING:
        j.become(RunStatus.RUNNING)
    j.set(waiting_on=None)


def _opened(j: Journal, group: StepRow, line: list[StepRow]) -> bool:
    if j.status == RunStatus.QUEUED:
        j.become(RunStatus.RUNNING, started_at=j.now)
        j.event(EventType.RUN_STARTED)
    try:
        open_fan_out(j, group, line)
    except PlanError as problem:
        error = {"code": problem.code, "message": problem.message}
        j.move(group, StepStatus.FAILED, error=error, completed_at=j.now)
        j.event(EventType.STEP_FAILED, group, error=error)
        failed(j, group, error)
        return False
    return True
