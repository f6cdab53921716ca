"""What people do to a run: cancel, pause, and the ways out for one that needs an operator (T5).

Each action takes the run under its lock, is audited with actor and reason, and publishes what follows.
"""

from collections.abc import Callable

from app.domain.errors import InvalidStateTransition, ValidationFailed
from app.domain.events import EventType
from app.domain.rows.runs import StepRow
from app.domain.run_kind import RunKind
from app.domain.states import NEEDS_OPERATOR, TERMINAL, RunStatus, StepOutcome, StepStatus
from app.engine.code import resume_call
from app.engine.transitions import graph, locks
from app.engine.transitions.advance import advance, begin_calls
from app.engine.transitions.compensate import block, next_undo, stop
from app.engine.transitions.fan_out import blocking_member, group_of, reopen_fan_out, start_branches
from app.engine.transitions.journal import FAN_OUT, Halt, Journal, is_call, is_member
from app.engine.transitions.step_rows import afresh, begins
from app.record.batches import graphs
from app.record.runs import runs, timers

UNSTOPPABLE = TERMINAL | {RunStatus.CANCELLING, RunStatus.COMPENSATING, RunStatus.COMPENSATION_FAILED}
RETRYABLE = frozenset({RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.FAILED_HELD})

Action = Callable[[Journal, str | None], None]


def cancel(j: Journal, actor: str, *, mode: str = "graceful", reason: str | None = None) -> None:
    """Ask a run to stop. Repeating it changes nothing."""
    if j.status in TERMINAL:
        raise InvalidStateTransition(f"The run has ended already: it is {j.status}", current=j.status)
    # Another mode may follow (graceful, then kill), but what was asked for is not made graceful again.
    again = j.run["cancel_requested_at"] is not None and mode in ("graceful", j.run["cancel_mode"])
    if again or j.status in (RunStatus.COMPENSATING, RunStatus.COMPENSATION_FAILED):
        return
    j.set(cancel_requested_at=j.run["cancel_requested_at"] or j.now, cancel_mode=mode)
    j.event(EventType.RUN_CANCEL_REQUESTED, actor=actor, mode=mode, reason=reason)
    if mode == "kill":
        _kill_running(j)
    stop(j, RunStatus.CANCELLED)


def act(j: Journal, action: str, actor: str, *, step: str | None = None, reason: str | None = None) -> None:
    """Do one operator action; raises `InvalidStateTransition` when the run is not in need of it."""
    if action not in ACTIONS:
        raise ValidationFailed.of("action", f"{action!r} is not one of {', '.join(sorted(ACTIONS))}")
    allowed, do = ACTIONS[action]
    if j.status not in allowed:
        may = sorted(name for name, (states, _) in ACTIONS.items() if j.status in states)
        raise InvalidStateTransition(
            f"A run that is {j.status} cannot be {PARTICIPLE[action]}", current=j.status, allowedActions=may
        )
    if action == "acknowledge":
        if j.run["acknowledged_at"] is not None:
            raise InvalidStateTransition("The run is acknowledged already", current=j.status)
        j.set(acknowledged_at=j.now, acknowledged_by=actor)
    j.event(EventType.OPERATOR_ACTION, actor=actor, action=action, target=step, reason=reason)
    do(j, step)


def note(j: Journal, actor: str, text: str) -> None:
    """Write a remark into the log of a run, whatever state it is in."""
    j.event(EventType.OPERATOR_ACTION, actor=actor, action="note", reason=text)


def allowed_actions(status: str) -> list[str]:
    """The operator actions that a run in this status accepts."""
    return sorted(name for name, (states, _) in ACTIONS.items() if status in states)


def offers(status: str, live_retry: str | None = None, *, kind: str, acknowledged: bool = False) -> list[str]:
    """All that people may ask of such a run in this status: operator actions, and its cancel and retry."""
    refused = refusals(status, live_retry, kind=kind, acknowledged=acknowledged)
    return sorted({*ACTIONS, "cancel", "retry"} - refused.keys())


def refusals(
    status: str, live_retry: str | None = None, *, kind: str, acknowledged: bool = False
) -> dict[str, str]:
    """Why people may not ask it of a run in this status; ``live_retry`` is the open run that retries it."""
    refused = {
        name: f"Only a run that is {' or '.join(sorted(states))} can be {PARTICIPLE[name]}; it is {status}."
        for name, (states, _) in ACTIONS.items()
        if status not in states
    }
    if acknowledged:
        refused["acknowledge"] = "It is acknowledged already."
    if status in UNSTOPPABLE:
        ended = status in TERMINAL
        refused["cancel"] = f"It has ended: it is {status}." if ended else "It is being undone already."
    if kind == RunKind.BATCH:
        refused["retry"] = "It is not retried by itself: retry its batch, which keeps what stands."
    elif status not in RETRYABLE:
        undone = status in UNSTOPPABLE - TERMINAL
        refused["retry"] = (
            "It is being undone; it can be retried when that has ended."
            if undone
            else f"Only a failed, cancelled or held run can be retried; it is {status}."
        )
    elif live_retry is not None:
        refused["retry"] = f"Run {live_retry} retries it already."
    return refused


def _resume(j: Journal, key: str | None) -> None:
    """Let the failed step try again, with its attempts counted anew."""
    step = _failed(j, key)
    if step["kind"] == "graph":
        raise _whole(j, step)
    _check_repeatable(j, step)
    timers.disarm(j.tx, j.id, purposes=("hold",))
    if step["phase"] == "comp":
        j.become(RunStatus.COMPENSATING, waiting_on=None)
    else:
        _go_on(j)
    if is_call(step):
        resume_call.again(j, step)
        return
    # A member goes on with its fan-out, whose counters have to be counted anew; alone it would be counted
    # twice.
    if step["kind"] in FAN_OUT or step["branch"]:
        _reopen(j, step)
        return
    j.move(step, StepStatus.PENDING, **afresh(unsure=False))
    j.event(EventType.STEP_READY, step)
    j.enqueue(step, j.line(step["phase"], step["branch"]))


def _go_on(j: Journal) -> None:
    """The run goes forward again, and nothing is said of the failure that stopped it."""
    j.become(
        RunStatus.RUNNING,
        waiting_on=None,
        error_code=None,
        error_message=None,
        error_step=None,
        goal=None,
    )
    j.event(EventType.RUN_RESUMED)


def _check_repeatable(j: Journal, step: StepRow) -> None:
    """Refuse to try a step again that would wait for what never comes; a retry begins where it has to."""
    if step["phase"] == "comp" or step["branch"] or is_call(step):
        return
    begin = begins(j.line("forward"), step["key"])
    if begin != step["key"]:
        raise InvalidStateTransition(
            f"{step['key']} has to be begun again at {begin}, which is done: retry the run from there",
            current=j.status,
            allowedActions=["retry", *(one for one in allowed_actions(j.status) if one != "resume")],
            fromStep=begin,
        )


def _compensate(j: Journal, key: str | None) -> None:
    """Undo what happened; an exhausted undo is tried again."""
    if j.status == RunStatus.COMPENSATION_FAILED:
        _resume(j, key)
    else:
        if j.run["on_failure"] == "keep":
            j.set(on_failure="compensate")
        stop(j, RunStatus.CANCELLED if j.run["cancel_requested_at"] else RunStatus.FAILED)


def _ended_by(status: StepStatus, event: EventType) -> Action:
    def end(j: Journal, key: str | None) -> None:
        step = _failed(j, key)
        timers.disarm(j.tx, j.id, purposes=("hold",))
        ended: StepRow = {"completed_at": j.now}
        if status == StepStatus.RESOLVED and step["phase"] == "forward":
            # Resolved means that it was done: it is undone if a later step fails. Skipped leaves what it was,
            # "unknown" perhaps (test_what_was_resolved_is_undone_when_a_later_step_fails).
            ended["outcome"] = StepOutcome.DONE
        j.move(step, status, **ended)
        j.event(event, step)
        if step["phase"] == "comp":
            _undo_ended(j)
            return
        _go_on(j)
        if is_call(step):
            resume_call.go_on(j, step)
        elif step["branch"]:
            _reopen(j, step)
        else:
            advance(j)

    return end


def _undo_ended(j: Journal) -> None:
    j.become(RunStatus.COMPENSATING, waiting_on=None)
    next_undo(j)


def _pause(j: Journal, _key: str | None) -> None:
    """Start nothing new; what runs goes on to its end. Locks stay."""
    waiting = {"kind": "operator", "step": None, "since": j.now, "paused": True}
    # Nothing is expected of a paused run, or the reconciler would publish it again as lost. The message that
    # is under way finds the run paused and drops itself.
    j.set(paused_from=j.status, expect_since=None)
    j.become(RunStatus.PAUSED, waiting_on=waiting)
    for row in runs.all_steps(j.tx, j.id):
        if row["expect_since"] is not None:
            j.change(row, expect_since=None)
    j.event(EventType.RUN_PAUSED)
    _tell_children(j)


def _unpause(j: Journal, _key: str | None) -> None:
    """Go on where the run stood, with what became due meanwhile."""
    before = RunStatus(j.run["paused_from"] or RunStatus.RUNNING)
    j.event(EventType.RUN_UNPAUSED)
    # Still in line. If the lock came meanwhile, `locks.grant_to` has changed `paused_from`.
    if before == RunStatus.LOCK_WAITING:
        j.set(paused_from=None)
        locks.wait_again(j)
        return
    j.become(
        RunStatus.QUEUED if before == RunStatus.QUEUED else RunStatus.RUNNING,
        paused_from=None,
        waiting_on=None,
    )
    for row in j.line("forward"):
        if row["kind"] == "graph" and row["status"] == StepStatus.WAITING:
            _tell_children(j)
            graph.turn(j)
            return
        if row["kind"] in FAN_OUT and row["status"] == StepStatus.WAITING:
            start_branches(j, row)
            return
        if row["kind"] == "code" and row["status"] == StepStatus.WAITING:
            begin_calls(j, row)
    advance(j)


def _tell_children(j: Journal) -> None:
    """Let the children of a graph look whether their parent stands."""
    for child in graphs.children_at_work(j.tx, j.id):
        j.arm_other(child, "parent")


def _reopen(j: Journal, step: StepRow) -> None:
    """Let a fan-out go on after what stood in its way, unless another member stands there too."""
    group = step if step["kind"] in FAN_OUT else group_of(j, step)
    if group is not None and group["status"] in (StepStatus.FAILED, StepStatus.WAITING):
        reopen_fan_out(j, group, step)
        other = blocking_member(j, group)
        if other is not None:
            block(j, other, other["error"] or {})
            return
    advance(j)


def _failed(j: Journal, key: str | None) -> StepRow:
    # What stands in the way decides the phase: a failed forward step of a run that is being undone cannot be
    # tried again.
    phase = "comp" if j.status == RunStatus.COMPENSATION_FAILED else "forward"
    steps = [row for row in runs.all_steps(j.tx, j.id) if row["phase"] == phase]
    wanted = key or (j.run["error_step"] if phase == "forward" else None)
    for row in steps:
        if row["status"] == StepStatus.FAILED and (wanted is None or row["key"] == wanted):
            if is_member(row):
                raise _whole(j, row)
            return row
    stuck = [row["key"] for row in steps if row["status"] == StepStatus.FAILED]
    raise ValidationFailed.of(
        "step", f"{wanted!r} is not a failed step of this run: {', '.join(stuck) or 'none is'}"
    )


def _whole(j: Journal, step: StepRow) -> InvalidStateTransition:
    """Why neither a graph nor one of its members is tried again by itself."""
    allowed = [
        one for one in offers(j.status, kind=j.run["kind"]) if one not in ("resume", "skip", "resolve")
    ]
    told = f"{step['key']} cannot be tried again by itself: retry the run, which keeps what stands"
    return InvalidStateTransition(told, current=j.status, allowedActions=allowed)


def _kill_running(j: Journal) -> None:
    # The kill is this write: without holder and status the worker's result is refused as late, whether or not
    # Celery manages to end its process (`Halt` is a hint). What it did is unknown, so it will be undone.
    running = [row for row in runs.all_steps(j.tx, j.id) if row["status"] == StepStatus.RUNNING]
    for row in running:
        j.move(
            row,
            StepStatus.CANCELLED,
            outcome=StepOutcome.UNKNOWN,
            holder=None,
            lease_until=None,
            completed_at=j.now,
        )
        j.event(EventType.STEP_CANCELLED, row, outcome=StepOutcome.UNKNOWN)
    if running:
        j.messages.append(Halt(task_ids=tuple(str(row["task_id"]) for row in running)))


RESUMABLE = frozenset({RunStatus.FAILED_HELD, RunStatus.BLOCKED, RunStatus.COMPENSATION_FAILED})
PAUSABLE = frozenset({RunStatus.LOCK_WAITING, RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.WAITING})
ACTIONS: dict[str, tuple[frozenset[RunStatus], Action]] = {
    "resume": (RESUMABLE, _resume),
    "compensate": (NEEDS_OPERATOR | {RunStatus.PAUSED}, _compensate),
    "skip": (RESUMABLE, _ended_by(StepStatus.SKIPPED, EventType.STEP_SKIPPED)),
    "resolve": (RESUMABLE, _ended_by(StepStatus.RESOLVED, EventType.STEP_RESOLVED)),
    "pause": (PAUSABLE, _pause),
    "unpause": (frozenset({RunStatus.PAUSED}), _unpause),
    "acknowledge": (frozenset({RunStatus.FAILED}), lambda _j, _key: None),  # `act` notes who did.
}
PARTICIPLE = {
    "acknowledge": "acknowledged",
    "resume": "resumed",
    "compensate": "compensated",
    "skip": "made to skip a step",
    "resolve": "resolved",
    "pause": "paused",
    "unpause": "unpaused",
}
