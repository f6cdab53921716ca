"""What ends a wait: a timer that is due, a hook that was called, a lease that has ended (T7, T8, T11).

1. Whoever calls has read without a lock: a row of `timer`, of `hook`, or a step with its fence.
2. Lock the run and look again. A timer is taken by an UPDATE on the condition that it is open and due, so it
   fires once (I11); a hook is used once (I9); a step is lost once, under the fence that was seen.
3. A lost step has the outcome ``unknown`` and no holder: its worker's result, should it come, is refused. It
   is published again, or it fails when it has lost too many workers, or its run is being stopped.
4. A wait that is over makes its step pending under a new generation (`runnable`).
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from app.domain.errors import (
    Gone,
    NoSignal,
    NotFound,
    OtherRelease,
    OutcomeUnknown,
    StepError,
    StepTimedOut,
    ValidationFailed,
    WorkerLost,
)
from app.domain.events import EventType
from app.domain.rows.runs import HookRow, StepRow, TimerRow
from app.domain.run_kind import RunKind
from app.domain.states import TERMINAL, RunStatus, StepOutcome, StepStatus
from app.engine.code import limits, signals, waits
from app.engine.transitions import family, graph, locks
from app.engine.transitions.advance import advance, failed, runnable
from app.engine.transitions.compensate import settled_while_stopping, stop, undo_exhausted
from app.engine.transitions.fan_out import group_of
from app.engine.transitions.journal import CHILD, Journal, Message, journal, step_of
from app.engine.transitions.settle import error_facts
from app.record.runs import hooks, runs, timers
from app.record.runs import locks as lock_rows
from app.record.session import Tx
from chains import catalogue
from windlass.durations import no_signal


def fire_timer(tx: Tx, timer_id: str) -> list[Message] | None:
    """Fire a timer that is due, once; None when it is not due yet, nothing to publish when it is over."""
    known = timers.read(tx, timer_id)
    if known is None or known["fired_at"] is not None or known["cancelled_at"] is not None:
        return []
    # None keeps it on the fast path: the caller's clock was ahead of the database's.
    if known["due_at"] > tx.now:
        return None
    if known["purpose"] == CHILD:
        return hear_children(tx, known["run_id"])
    with journal(tx, known["run_id"]) as j:
        taken = timers.fire(tx, timer_id)
        if taken is None:
            return []
        if j.status in TERMINAL:
            if taken["purpose"] == "stop":
                waits.stop_following(j)
            return j.messages
        RULES.get(taken["purpose"], _fire_step)(j, taken)
        return j.messages


def hear_children(tx: Tx, run_id: str) -> list[Message]:
    """Let a run hear of all its children that have ended by now, which may be none any more.

    Children end in crowds, and what one turn can do needs no second one.
    """
    run = runs.lock_run(tx, run_id)
    if run is None:
        return []
    heard = timers.fire_all(tx, run_id, CHILD)
    if not heard:
        return []
    j = Journal(tx, run)
    family.children_ended(j, heard)
    j.flush()
    return j.messages


def execute_hook(tx: Tx, token_hash: str, payload: Any) -> tuple[dict[str, Any], list[Message]]:
    """Deliver what somebody called a hook with; an exact repeat gets the first answer again."""
    while True:
        known = hooks.by_token(tx, token_hash)
        if known is None:
            raise NotFound("There is no such hook")
        with journal(tx, known["run_id"]) as j:
            found = hooks.by_token(tx, token_hash)
            if found is not None and found["run_id"] == j.id:  # Not moved by a run that went on afresh.
                return _executed(j, found, payload), j.messages


def _executed(j: Journal, found: HookRow, payload: Any) -> dict[str, Any]:
    digest = hashlib.sha256(json.dumps(payload, sort_keys=True).encode()).hexdigest()
    answer = {"runId": j.id, "step": found["step"]}
    # A caller whose answer was lost asks again with the same payload and gets the same answer, not 410.
    if found["status"] == "executed" and found["payload_hash"] == digest:
        return {**answer, "acceptedAt": found["executed_at"]}
    # Read under the lock of the run (chaos: "hook consumed twice").
    if found["status"] != "open" or (found["expires_at"] or j.now) < j.now:
        raise Gone("The hook was used or has expired", status=found["status"])
    # The address of code workflows takes any JSON, and the token opens its hook there, too. A step could make
    # nothing of it, and the token would be used up.
    if found["name"] is None and not isinstance(payload, Mapping):
        raise ValidationFailed.of("body", f"Must be an object: the step {found['step']} takes nothing else")
    hooks.executed(j.tx, found["id"], payload, digest)
    if found["name"] is not None:
        j.event(EventType.HOOK_EXECUTED, name=found["name"], hookId=found["id"], action=found["action"])
        if j.status not in TERMINAL:
            signals.send(j, found["name"], payload, sender=f"hook/{found['id']}")
        return {**answer, "acceptedAt": j.now}
    step = runs.one_step(j.tx, j.id, "forward", found["step"])
    j.event(EventType.HOOK_EXECUTED, step)
    if step is not None and j.status not in TERMINAL:
        # Kept in the step whatever it does just now. One that has not begun gets it with its claim, one whose
        # poll is at work when that is settled (test_a_hook_that_is_called_while_a_poll_runs_is_not_lost).
        j.change(step, signal=payload)
        if step["status"] == StepStatus.WAITING:
            runnable(j, step)
    return {**answer, "acceptedAt": j.now}


def lose(
    tx: Tx,
    run_id: str,
    phase: str,
    key: str,
    fence: int,
    *,
    poison_limit: int,
    counted: bool = True,
    silent: bool = False,
) -> list[Message]:
    """A worker died during a step, or is silent: the outcome is unknown; enqueue again, or give up.

    ``silent`` asks for a lease that has run out.
    """
    with journal(tx, run_id) as j:
        step = runs.one_step(tx, run_id, phase, key)
        # Somebody else was quicker: its result came, another reconciler has lost it, or it runs under a later
        # claim.
        if step is None or step["status"] != StepStatus.RUNNING or step["fence"] != fence:
            return []
        if silent and (step["lease_until"] or 0) >= j.now:  # It was renewed at the last moment.
            return []
        if not _room(j, step):
            limits.full(j)
        lost = step["lost"] + (1 if counted else 0)
        # A lost worker is no failure of the step: the policy is not charged. `lost` has a limit of its own,
        # and a column: in memory it would begin anew with each reconciler (I13; chaos: "attempts counted in
        # memory").
        tries = max(0, step["tries"] - 1)
        # Before the holder is removed below: it names the row of `lease` to delete.
        j.let_go(step)
        j.change(
            step,
            lost=lost,
            tries=tries,
            holder=None,
            lease_until=None,
            outcome=StepOutcome.UNKNOWN,
            unsure=True,
        )
        j.event(EventType.STEP_LOST, step, fence=fence, lost=lost)
        # Only at the limit: before it, the next attempt observes what this one did (chaos: "compensation of
        # an unknown outcome without observation"). A release that does not know the step cannot judge it and
        # tries once more.
        if lost >= poison_limit and not catalogue.is_foreign(step):
            _poisoned(j, step)
        elif j.status == RunStatus.CANCELLING:
            _give_up(
                j,
                step,
                WorkerLost(f"The worker of {key} was lost while the run was being stopped", fence=fence),
            )
        elif _too_late(j, step):
            j.move(step, StepStatus.CANCELLED, completed_at=j.now)
            j.event(EventType.STEP_CANCELLED, step)
            advance(j)
        else:
            runnable(j, step)
        return j.messages


def grant_waiting(tx: Tx, resource: str) -> list[Message]:
    """Grant a free resource to its longest waiter, which the releasing transaction had to leave."""
    # Run, then resource: the order of all transitions, so this waits in no circle. What was read before the
    # two locks is therefore only a guess and is asked again under them (planted: "a lock is granted without a
    # look at its holder").
    waiter = lock_rows.next_waiter(tx, resource)
    if waiter is None or not runs.lock_run_if_free(tx, waiter):
        return []
    with journal(tx, waiter) as j:
        locks.enter(j, resource)
        if lock_rows.holder(tx, resource) is None and lock_rows.next_waiter(tx, resource) == waiter:
            locks.grant_to(j, resource)
        return j.messages


def _room(j: Journal, step: StepRow) -> bool:
    """Whether the log has room for the loss of a code workflow's worker, and for another attempt."""
    if j.run["kind"] != RunKind.CODE or step["phase"] == "comp" or j.status == RunStatus.CANCELLING:
        return True
    return limits.room(j, group_of(j, step) if step["branch"] else None, 3)


def _too_late(j: Journal, step: StepRow) -> bool:
    """Whether a member's fan-out is complete without it, so that nobody needs it any more."""
    group = group_of(j, step) if step["branch"] else None
    return group is not None and group["status"] == StepStatus.COMPLETED


def _hold_over(j: Journal, _timer: TimerRow) -> None:
    if j.status == RunStatus.FAILED_HELD:
        j.event(EventType.RUN_HOLD_EXPIRED)
        stop(j, RunStatus.FAILED)


def _fire_step(j: Journal, timer: TimerRow) -> None:
    step = step_of(j, timer)
    if step is None:
        return
    if timer["purpose"] == "deadline":
        _past_deadline(j, step)
    elif step["status"] in (StepStatus.RETRY_WAIT, StepStatus.WAITING):
        runnable(j, step)


def _past_deadline(j: Journal, step: StepRow) -> None:
    # While a poll runs its settlement decides, which knows the deadline too (`settle._suspended`).
    if step["status"] not in (StepStatus.WAITING, StepStatus.RETRY_WAIT, StepStatus.PENDING):
        return
    # Raised, so that the timer stays open: the transaction is rolled back, and a reconciler of the other
    # release fires it.
    if catalogue.is_foreign(step):
        raise OtherRelease(f"{step['name']} is of another release, whose reconcilers know what is to follow")
    if j.status == RunStatus.WAITING:
        j.become(RunStatus.RUNNING)
    _give_up(j, step, _late(step))


def _late(step: StepRow) -> StepError:
    if step["kind"] == "signal":
        given = step["given"] or {}
        return NoSignal(no_signal(given), name=given.get("name"), limitMs=given.get("timeout_ms"))
    told = f"{step['key']} did not end within {step['timeout_ms'] // 1000} s"
    return StepTimedOut(told, step=step["key"], limitMs=step["timeout_ms"])


def _poisoned(j: Journal, step: StepRow) -> None:
    times, lost = f"{step['key']} lost its worker {step['lost']} times", step["lost"]
    error: StepError = WorkerLost(times, lost=lost)
    if step["phase"] == "forward" and catalogue.step_named(step["name"]).at_most_once:
        why = "whether it took effect cannot be told, and it is not repeated"
        error = OutcomeUnknown(f"{times}; {why}: look, then resolve, resume or compensate the run", lost=lost)
    _give_up(j, step, error)


def _give_up(j: Journal, step: StepRow, error: StepError) -> None:
    facts = error_facts(error)
    j.disarm(step)
    j.move(step, StepStatus.FAILED, error=facts, expect_since=None, completed_at=j.now)
    j.event(EventType.STEP_FAILED, step, error=facts, outcome=step["outcome"])
    if step["phase"] == "comp":
        undo_exhausted(j, step)
    elif j.status == RunStatus.CANCELLING and not step["branch"]:
        settled_while_stopping(j)
    else:
        failed(j, step, facts)


RULES: dict[str, Callable[[Journal, TimerRow], None]] = {  # By a timer's purpose; the others are of steps.
    "hold": _hold_over,
    "sleep": waits.slept,
    "graph": lambda j, _timer: graph.turn(j),
    "parent": family.parent_moved,
    "stop": waits.parent_stopped,
    "execution": waits.worked_too_long,
}
