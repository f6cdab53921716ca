"""Record the result of a step, under the fence of its claim (T3), and claim the next one with it (T23).

1. Compare fence and nonce with the row. Both equal and running: the step is ours.
2. Equal, but no longer running: this is the repetition of our own commit, whose answer was lost. Answer what
   was decided then.
3. Different: another worker has the step by now. Record that a late result was refused (``step.fenced``), and
   change nothing else.
4. Completed: store the result. When the next step belongs to the same segment, claim it in this transaction;
   otherwise decide what follows (`advance`).
5. Suspended: store the reference, arm the timers of poll and deadline, give up the lease (T4).
6. Failed: another attempt when policy and error allow it, else the run stops (`compensate`).
7. Commit. Only then are messages published.

A result may be settled after its lease has ended, as long as nobody else has claimed the step: the work is
done, and the fence is the only judge.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.domain.errors import NotFound, StepError, StepTimedOut, WindlassError
from app.domain.events import EventType
from app.domain.plan import segments
from app.domain.policy import Backoff
from app.domain.rows.runs import StepRow
from app.domain.states import RunStatus, StepOutcome, StepStatus
from app.engine.code import limits
from app.engine.transitions import optimistic
from app.engine.transitions.advance import CALL, failed, runnable, succeeded
from app.engine.transitions.claim import Claim, claimed, steps_seen, take
from app.engine.transitions.compensate import settled_while_stopping, undo_exhausted, undone
from app.engine.transitions.fan_out import group_of
from app.engine.transitions.journal import Journal, Message, RunMessage, carried_steps, planned
from app.engine.transitions.step_rows import waits_for
from app.record.inventory import gates
from app.record.runs import runs
from app.record.session import Database, Tx
from chains import catalogue
from tasks.step import Step

DAY_MS = 86_400_000
ERROR_BYTES = 8_192  # Longest message of an error that is kept.


@dataclass(frozen=True)
class Done:
    """The body returned; for a lost attempt: observation showed that it took effect."""

    result: dict[str, Any]


@dataclass(frozen=True)
class Failed:
    """The body raised."""

    error: StepError
    cleared: bool = False  # An observation showed that no earlier attempt took effect, nor will.


@dataclass(frozen=True)
class Suspended:
    """An operation is under way: its reference, and its progress as people read it."""

    ref: Any
    progress: str = ""


Outcome = Done | Failed | Suspended


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What became of a claim: the claim on the next step of the segment, or how the link ends."""

    status: str  # completed, failed, retry_wait, waiting, fenced.
    next: Claim | None = None
    beside: Claim | None = None  # The claim on another member of the same fan-out.
    chained: bool = False  # The chain's next link will find something to do.
    messages: tuple[Message, ...] = ()


def settle(
    db: Database,
    claim: Claim,
    outcome: Outcome,
    *,
    logs: Sequence[dict[str, Any]] = (),
    chained: bool = False,
    patience_s: float = 5.0,
) -> Settled:
    """Record how a step ended and what follows from it.

    Only a success is decided optimistically: failures and waits arm timers, which needs the run's lock.
    """
    if claim.seen is not None and isinstance(outcome, Done):
        alone = optimistic.decide_member if claim.step["branch"] else optimistic.decide
        decided = alone(
            db, claim.seen, lambda j: decide_settled(j, claim, outcome, logs, chained), patience_s=patience_s
        )
        if decided is not None:
            after = decided.result
            # The next step is settled from what this write has left, without reading the run again. If
            # somebody changed the run meanwhile, that write is refused and the lock decides.
            following = replace(after.next, seen=decided.seen) if after.next is not None else None
            return replace(after, next=following)
    return db.write(
        lambda tx: locked_settle(tx, claim, outcome, logs=logs, chained=chained), patience_s=patience_s
    )


def locked_settle(
    tx: Tx, claim: Claim, outcome: Outcome, *, logs: Sequence[dict[str, Any]] = (), chained: bool = False
) -> Settled:
    """Record how a step ended and what follows from it, under the run's lock."""
    run = runs.lock_run(tx, claim.run["id"])
    if run is None:
        raise NotFound(f"There is no run {claim.run['id']}")
    return decide_settled(Journal(tx, run), claim, outcome, logs, chained)


def decide_settled(
    j: Journal, claim: Claim, outcome: Outcome, logs: Sequence[dict[str, Any]], chained: bool
) -> Settled:
    """What becomes of a claim with this outcome."""
    phase, key, ahead = claim.step["phase"], claim.step["key"], _in_segment(claim)
    # Two steps by their names, not all: under the lock, a member of a wide fan-out would read a thousand rows
    # while all other members wait for it.
    found = j.some(phase, key, ahead)
    step = found.get(key)
    if step is None or not _mine(step, claim):
        # Nothing of this result may be written: another attempt may be running or have ended.
        late = _late(j, step, claim)
        j.flush()
        return late
    # Not before the check: the log lines of an attempt that was fenced off would stand under the number of
    # its successor.
    for line in logs:
        j.event(EventType.STEP_LOG, step, **line)
    following: Claim | None = None
    if isinstance(outcome, Done):
        after = found.get(ahead) if ahead is not None else None
        following = _completed(j, step, claim, outcome.result, after, chained)
    elif isinstance(outcome, Suspended):
        _suspended(j, step, claim, outcome)
    else:
        _raised(j, step, claim, outcome)
    # A message was published under a new generation: the rest of this chain belongs to the old one and would
    # only be dropped.
    published = any(isinstance(message, RunMessage) for message in j.messages)
    carries = chained and following is None and step["status"] == StepStatus.COMPLETED and not published
    j.flush()  # Adds the deliveries of subscribed webhooks.
    return Settled(
        status=step["status"],
        next=following,
        chained=carries and j.run["expect_since"] is not None,
        messages=tuple(j.messages),
    )


def error_facts(error: WindlassError) -> dict[str, Any]:
    """An error as it is stored: code, message and details, cut to a size that cannot hurt."""
    message = error.message if len(error.message) <= ERROR_BYTES else error.message[:ERROR_BYTES] + " … [cut]"
    return {"code": error.code, "message": message, **({"details": error.details} if error.details else {})}


def _mine(step: StepRow, claim: Claim) -> bool:
    # Chaos plants this line as "no fence check" and the model checker removes it (NO_FENCE): a worker that
    # was frozen past its lease stores its result over the head of its successor.
    same = step["fence"] == claim.fence and step["holder"] == claim.holder.nonce
    return bool(same and step["status"] == StepStatus.RUNNING)


def _late(j: Journal, step: StepRow | None, claim: Claim) -> Settled:
    """Our own commit whose answer was lost, or somebody else's step by now."""
    # The fence alone would not do. A step whose worker was lost keeps its fence until it is claimed again;
    # only the nonce, which `resume.lose` has removed, tells that its result was not accepted.
    if step is not None and step["fence"] == claim.fence and step["holder"] == claim.holder.nonce:
        # The commit whose answer was lost may have claimed the next step, too (T23). If the worker forgot
        # that claim, the step would wait for its lease to end and count as lost.
        following = _claimed_next(j, claim)
        carried = following is None and step["status"] == StepStatus.COMPLETED
        return Settled(status=step["status"], next=following, chained=carried)
    if step is not None:
        j.event(EventType.STEP_FENCED, step, fence=claim.fence)
    return Settled(status="fenced")


def _claimed_next(j: Journal, claim: Claim) -> Claim | None:
    rows = steps_seen(j.tx, j.id, claim.step["phase"], claim.step["key"])
    for row in rows:
        if row["holder"] == claim.holder.nonce and row["status"] == StepStatus.RUNNING:
            return claimed(j, row, rows, claim.holder)
    return None


def _completed(
    j: Journal, step: StepRow, claim: Claim, result: dict[str, Any], after: StepRow | None, chained: bool
) -> Claim | None:
    j.move(
        step,
        StepStatus.COMPLETED,
        output=result or None,
        outcome=StepOutcome.DONE,
        unsure=False,
        error=None,
        task_id=None,  # Nobody ends a process for it any more; the row is shorter.
        lease_until=None,
        progress=None,
        completed_at=j.now,
    )
    # Only an operation has timers or a hook left that could wake it. `leave` in general would send each step
    # to the lock, for an optimistic transition writes neither.
    if step["kind"] == "operation":
        j.leave(step)
    j.event(EventType.STEP_COMPLETED, step, output=result or None)
    if after is not None:
        if (
            # Between the steps of a segment no message is read, so a cancel, a pause or another release is
            # noticed here or not before the segment ends.
            after["status"] == StepStatus.PENDING
            and _may_go_on(j, step["phase"])
            and not catalogue.is_foreign(after)
        ):
            return _go_on(j, step, claim, result, after)
        chained = False  # What the chain carries on with comes after a step that is still to be done.
    if step["phase"] == "comp":
        undone(j, step)
    else:
        succeeded(j, step, chained=chained)
    return None


def _go_on(j: Journal, step: StepRow, claim: Claim, result: dict[str, Any], following: StepRow) -> Claim:
    if step["phase"] == "comp":
        forward = j.one("forward", step["undoes"] or "")
        if forward is not None:
            j.change(forward, compensated_at=j.now)
        j.event(EventType.STEP_COMPENSATED, step, undoes=step["undoes"])
        # Unlike a forward step, the next undo depends on results that this claim does not hold: those of the
        # step that it undoes.
        rows = j.steps()
    else:
        done: StepRow = {"status": str(StepStatus.COMPLETED), "output": result or None}
        rows = [{**row, **done} if row["key"] == step["key"] else row for row in claim.line]
        rows = [following if row["key"] == following["key"] else row for row in rows]
    taken = take(j, following, rows, claim.holder)
    if step["phase"] == "comp":
        return taken
    known = {**claim.known, **result, **(following["given"] or {}), "ref": following["ref"], "called": None}
    return Claim(
        run=taken.run, step=taken.step, line=rows, known=known, holder=claim.holder, unsure=taken.unsure
    )


def _in_segment(claim: Claim) -> str | None:
    """The key of the step that follows in the same segment."""
    after = carried_steps(claim.step, [row for row in claim.line if row["ordinal"] >= claim.step["ordinal"]])
    if len(after) < 2:
        return None
    first = segments(planned(row) for row in after)[0]
    return None if first.last == claim.step["key"] else str(after[1]["key"])


def _may_go_on(j: Journal, phase: str) -> bool:
    return j.status == (RunStatus.RUNNING if phase == "forward" else RunStatus.COMPENSATING)


def _raised(j: Journal, step: StepRow, claim: Claim, raised: Failed, *, final: bool = False) -> None:
    error, definition = raised.error, catalogue.step_named(step["name"])
    # With a reference the operation is under way outside: "nothing happened" is then about the poll alone.
    facts, harmless = error_facts(error), error.nothing_happened and step["ref"] is None
    # An attempt that did nothing does not vouch for those before it, unless it looked ("cleared").
    outcome = StepOutcome.NONE if harmless and (raised.cleared or not step["unsure"]) else StepOutcome.UNKNOWN
    once = definition.at_most_once and step["phase"] == "forward"  # Then only what did nothing is repeated.
    # The intent says "the command may have been sent". It is withdrawn only when it certainly was not.
    if once and outcome == StepOutcome.NONE:
        gates.withdraw(j.tx, f"{j.id}/{step['phase']}/{step['key']}")
    repeatable = error.retryable and not final and (harmless or not once)
    # A run that is being stopped waits for this step to end. Another attempt would only begin what is undone
    # next.
    if repeatable and j.status != RunStatus.CANCELLING and _room(j, step):
        elapsed = j.now - (step["first_started_at"] or j.now)
        policy = _policy(definition, step)
        wait = policy.wait_ms(
            step["tries"], elapsed, asked_ms=error.retry_after_ms, passing_ms=error.passing_ms
        )
        if wait is not None:
            # Whether the next attempt observes before it acts. An error that does not count gives its try
            # back: the other side asked us to come later, which is no failure of the step.
            look = not harmless or (claim.unsure and not raised.cleared)
            tries = step["tries"] if error.counts else max(0, step["tries"] - 1)
            _retry_later(j, step, wait, error=facts, outcome=outcome, unsure=look, tries=tries)
            return
    known: StepRow = {"error": facts, "outcome": outcome, "unsure": outcome == StepOutcome.UNKNOWN}
    known |= {"lease_until": None, "completed_at": j.now}
    j.move(step, StepStatus.FAILED, **known)
    j.disarm(step)
    j.event(EventType.STEP_FAILED, step, error=facts, outcome=outcome)
    if step["phase"] == "comp":
        undo_exhausted(j, step)
    else:
        failed(j, step, facts)


def _room(j: Journal, step: StepRow) -> bool:
    """Whether a call of a code workflow may have another attempt; else its run ends: its log is full."""
    if step["name"] != CALL or limits.room(j, group_of(j, step), 3):
        return True
    limits.full(j)
    return False


def _policy(definition: Step, step: StepRow) -> Backoff:
    if step["phase"] == "comp" and definition.undoing:
        return definition.undoing.retry
    given = step["given"] or {}
    if given.get("policy"):  # The plan has one of its own for this step.
        return Backoff(**given["policy"])
    if step["name"] != CALL:
        return definition.retry
    return Backoff(
        first_ms=given["retry_delay_ms"], factor=1.0, limit=given["retries"] + 1, jitter=False, cap_ms=DAY_MS
    )


def _retry_later(j: Journal, step: StepRow, wait: int, **known: Any) -> None:
    due = j.now + wait
    # The timer is a row of the same transaction. If it were armed after the commit, a crash in between would
    # leave a step that nobody ever wakes (I7).
    j.move(step, StepStatus.RETRY_WAIT, **known, lease_until=None, progress=None, retry_at=due)
    j.arm("retry", due, step)
    j.event(EventType.STEP_RETRYING, step, error=known["error"], dueAt=due, outcome=known["outcome"])
    if not step["branch"]:
        # The timer wakes it. A message that is still expected would be published again as lost, again and
        # again, and find nothing to claim.
        j.set(waiting_on=waits_for(step), expect_since=None)
        if j.status == RunStatus.RUNNING:
            j.become(RunStatus.WAITING)


def _suspended(j: Journal, step: StepRow, claim: Claim, suspended: Suspended) -> None:
    # Compared with the claim, not with None: a call that came before the claim was given to this very poll.
    called = step["signal"] if step["signal"] != claim.step["signal"] else None
    due = j.now + catalogue.step_named(step["name"]).poll_every.bound_ms(step["polls"] + 1)
    deadline = step["deadline_at"] or j.now + step["timeout_ms"]
    # The deadline is checked here as well: a timer that fires while the poll runs finds nothing to end.
    if deadline <= j.now:
        late = f"{step['key']} did not end within {step['timeout_ms'] // 1000} s"
        _raised(j, step, claim, Failed(StepTimedOut(late, limitMs=step["timeout_ms"])), final=True)
        return
    # Only when the operation is suspended first: the deadline bounds the operation, not the wait for the next
    # poll.
    if step["deadline_at"] is None:
        j.arm("deadline", deadline, step)
    j.move(
        step,
        StepStatus.WAITING,
        ref=suspended.ref,
        progress=suspended.progress or None,
        # A poll was answered: polls that fail now and then must never exhaust the policy
        # (test_polls_that_fail_now_and_then_never_exhaust_the_policy).
        tries=0,
        polls=step["polls"] + 1,
        lease_until=None,
        retry_at=due,
        deadline_at=deadline,
        signal=called,
    )
    j.event(
        EventType.STEP_WAITING,
        step,
        ref=suspended.ref,
        until=due,
        deadline=deadline,
        progress=suspended.progress or None,
    )
    j.arm("poll", due, step)
    # A run that is being stopped has waited for this step to let go of its worker. What is under way outside
    # is aborted by its undo, so the run need not wait for the operation.
    if j.status == RunStatus.CANCELLING:
        settled_while_stopping(j)
        return
    if not step["branch"]:
        j.set(waiting_on=waits_for(step), expect_since=None)
        if j.status == RunStatus.RUNNING:
            j.become(RunStatus.WAITING)
    # The hook was called while this poll ran: waiting for the timer would ignore what is already here.
    if called:
        runnable(j, step)
