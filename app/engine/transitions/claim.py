"""Claim a step for one worker before its body runs (T2).

1. Find the step and check that this message is still valid: the run proceeds in this phase, the generation is
   the current one, the step is pending, all steps before it in its branch are done.
2. A step that is running under our own nonce is ours: the commit succeeded and only its answer was lost.
3. A step that this release does not know is left for a worker that does; nothing is counted.
4. Otherwise take it: attempt + 1, fence + 1, outcome ``unknown``, a lease, the event.
5. Commit. Only then may the body start: a body that kills its worker has already used up its attempt, and the
   next worker knows that something may have happened.

First the optimistic way: decide from rows that were read without a lock, and write on the condition that the
run has not changed. When that fails, the same rules decide again under the run's lock.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from app.domain.events import EventType
from app.domain.plan import segments
from app.domain.rows.runs import RunRow, StepRow
from app.domain.run_kind import RunKind
from app.domain.states import STEP_DONE, RunStatus, StepOutcome, StepStatus
from app.engine.transitions import optimistic
from app.engine.transitions.journal import FAN_OUT, Journal, Message, carried_steps, planned
from app.engine.transitions.step_rows import known_values
from app.record.fast_path import ready, transition
from app.record.fast_path.transition import RunSnapshot
from app.record.runs import runs
from app.record.session import Database, Tx
from chains import catalogue
from chains.messages import WakeUp

ELSEWHERE_MS = 500  # A step of another release is hidden for so long; then any worker may try it again.
CLAIMABLE = {
    "forward": frozenset({RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.WAITING}),
    "comp": frozenset({RunStatus.COMPENSATING}),
}


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Who claims: one execution of one link."""

    nonce: str  # Different for each execution, also of a doubled message.
    task_id: str
    lease_ms: int


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The right to run one step until its lease ends."""

    run: RunRow
    step: StepRow
    line: Sequence[StepRow]  # The steps of the same line, in order.
    known: dict[str, Any] = field(repr=False)
    holder: Holder
    unsure: bool  # An earlier attempt may have taken effect.
    messages: tuple[Message, ...] = ()  # What the claim wants published: webhook deliveries about its start.
    seen: RunSnapshot | None = field(
        default=None, repr=False
    )  # What the claim left behind, for the next draft.

    @property
    def fence(self) -> int:
        """The number under which this claim may settle."""
        return int(self.step["fence"])


@dataclass(frozen=True)
class Passed:
    """The step is done already: the chain goes on."""


@dataclass(frozen=True)
class Dropped:
    """There is nothing to do for this message, and why."""

    reason: str


def claim(
    db: Database, run_id: str, phase: str, key: str, gen: int, holder: Holder
) -> Claim | Passed | Dropped:
    """Claim a step for one link, or say why not."""
    seen = transition.see(db, run_id)
    if seen is not None and optimistic.is_plain(seen) and _shows(seen, phase, key):
        decided = optimistic.decide(db, seen, lambda j: decide(j, j.steps(), phase, key, gen, holder))
        # None: the run has changed since it was read, or the rules need more than the run and its steps.
        if decided is not None:
            return _looking(decided.result, decided.seen, seen.run["expect_queue"] if seen.others else None)
    claimed = db.write(lambda tx: locked_claim(tx, run_id, phase, key, gen, holder))
    if not isinstance(claimed, Claim):
        return claimed
    # After the commit and without patience: the step is ours by now, and its body must not wait because the
    # database cannot say whether more waits.
    queue = claimed.step["queue"]
    return _looking(claimed, None, queue if ready.more(db, queue) else None)


def next_limit_ms(seen: RunSnapshot) -> int:
    """How long the segment that comes next in a run may take; 0 when none does."""
    _phase, line, step = _next(seen)
    return 0 if step is None else limit_ms(step, line)


def claim_seen(db: Database, seen: RunSnapshot, holder: Holder) -> Claim | None:
    """Claim the next step of a run that waits, unless somebody else was quicker."""
    phase, _line, step = _next(seen)
    if step is None:
        return None
    key, gen = step["key"], seen.run["dispatch_gen"]
    if optimistic.is_plain(seen):
        decided = optimistic.decide(db, seen, lambda j: decide(j, j.steps(), phase, key, gen, holder))
        if decided is None or not isinstance(decided.result, Claim):
            return None
        return replace(decided.result, seen=decided.seen)
    claimed = db.write(lambda tx: locked_claim(tx, seen.run["id"], phase, key, gen, holder))
    return claimed if isinstance(claimed, Claim) else None


def _next(seen: RunSnapshot) -> tuple[str, list[StepRow], StepRow | None]:
    """The phase that a run is in, its line, and the step that comes next, unless that is a fan-out."""
    phase = "comp" if seen.run["status"] == RunStatus.COMPENSATING else "forward"
    line = [row for row in seen.steps if row["phase"] == phase and not row["branch"]]
    step = next((row for row in line if row["status"] not in STEP_DONE), None)
    return phase, line, None if step is None or step["kind"] in FAN_OUT else step


def limit_ms(step: StepRow, line: Sequence[StepRow]) -> int:
    """How long the segment that begins with this step may take."""
    return next(iter(segments(planned(row) for row in carried_steps(step, line)))).limit_ms


def _shows(seen: RunSnapshot, phase: str, key: str) -> bool:
    """Whether a step is among those that were seen, which the calls of a code workflow are not."""
    return any(row["phase"] == phase and row["key"] == key for row in seen.steps)


def _looking(
    claimed: Claim | Passed | Dropped, seen: RunSnapshot | None, queue: str | None
) -> Claim | Passed | Dropped:
    """The claim with what it leaves behind, and a wake-up when more waits in its queue."""
    if not isinstance(claimed, Claim):
        return claimed
    looks = () if queue is None else (WakeUp(queue=queue),)
    return replace(claimed, seen=seen, messages=(*claimed.messages, *looks))


def locked_claim(
    tx: Tx, run_id: str, phase: str, key: str, gen: int, holder: Holder
) -> Claim | Passed | Dropped:
    """Claim a step under the run's lock, or say why not."""
    run = runs.lock_run(tx, run_id)
    if run is None:
        return Dropped("unknown run")
    j = Journal(tx, run)
    return decide(j, steps_seen(tx, run_id, phase, key), phase, key, gen, holder)


def decide(
    j: Journal, rows: Sequence[StepRow], phase: str, key: str, gen: int, holder: Holder
) -> Claim | Passed | Dropped:
    """What becomes of a link's wish to run a step."""
    step = next((row for row in rows if row["phase"] == phase and row["key"] == key), None)
    if step is None:
        return Dropped("unknown step")
    reason = _refusal(j, step, rows, gen, holder)
    if reason is not None:
        # A message that is late (its step is done) lets its chain go on, but only under the current
        # generation: an older chain would carry the run beside the one that replaced it.
        passed = step["status"] in STEP_DONE and _current(j, step, gen)
        return Passed() if passed else Dropped(reason)
    if step["status"] == StepStatus.RUNNING:
        # Our own claim, whose commit answer was lost: the same claim again, not a second attempt.
        return claimed(j, step, rows, holder)
    # After the refusals: leaving the step hides the run for a moment, which a message that is out of date
    # must not do. Chaos plants this as "a step of another release is claimed".
    if not _is_of_this_release(j.run, step):
        return _left(j, step)
    taken = take(j, step, rows, holder)
    j.flush()
    return replace(taken, messages=tuple(j.messages))


def steps_seen(tx: Tx, run_id: str, phase: str, key: str) -> list[StepRow]:
    """The steps that a claim looks at: an undo may need any forward step, a forward step its own line."""
    return runs.all_steps(tx, run_id) if phase == "comp" else runs.link_steps(tx, run_id, phase, key)


def take(j: Journal, step: StepRow, rows: Sequence[StepRow], holder: Holder) -> Claim:
    """Claim a pending step of a locked run."""
    unsure = bool(step["unsure"])
    # A poll asks about an operation that is already started; it is not another attempt of it.
    polling = step["ref"] is not None and step["phase"] == "forward"
    if j.status in (RunStatus.QUEUED, RunStatus.WAITING):
        first = j.run["started_at"] is None
        j.become(RunStatus.RUNNING, started_at=j.run["started_at"] or j.now)
        if first:
            j.event(EventType.RUN_STARTED)
    # From here the lease says that somebody works on the run; no message is expected any more.
    if not step["branch"]:
        j.set(expect_since=None, expect_from=j.run["expect_from"])  # So that no index is written.
        j.set(reserved_until=None, waiting_on=None, dispatch_attempts=0)
    j.move(
        step,
        StepStatus.RUNNING,
        # `attempt` numbers what happened and never goes back. `tries` is what the policy counts: a poll that
        # was answered and an operator's resume begin it anew.
        attempt=step["attempt"] + (0 if polling else 1),
        tries=step["tries"] + 1,
        # For a poll as well: every claim has its own fence, or the late result of a worker that was frozen in
        # one poll would be accepted as that of the next (I4).
        fence=step["fence"] + 1,
        # Before the body begins. If the worker dies now, compensation finds a step that may have happened;
        # "none" here would leave its effect behind (I6).
        outcome=StepOutcome.UNKNOWN,
        # What an earlier attempt may have done is never forgotten.
        unsure=step["outcome"] != StepOutcome.NONE,
        holder=holder.nonce,
        task_id=holder.task_id,
        lease_until=j.now + holder.lease_ms,
        expect_since=None,
        reserved_until=None,
        first_started_at=step["first_started_at"] or j.now,
        started_at=step["started_at"] or j.now,
    )
    j.event(
        EventType.STEP_POLLING if polling else EventType.STEP_STARTED,
        step,
        fence=step["fence"],
        worker=worker_of(holder.nonce),
    )
    return replace(claimed(j, step, rows, holder), unsure=unsure)


def worker_of(nonce: str) -> str:
    """The worker process that made a claim, as its nonce names it."""
    return nonce.rpartition("/")[0] or nonce


def claimed(j: Journal, step: StepRow, rows: Sequence[StepRow], holder: Holder) -> Claim:
    """The claim that a holder has on a running step, with what the step may ask for by name."""
    unsure = bool(step["unsure"])
    line = [row for row in rows if row["phase"] == step["phase"] and row["branch"] == step["branch"]]
    known = _known(j, step, rows)
    return Claim(run=j.run.copy(), step=step.copy(), line=line, known=known, holder=holder, unsure=unsure)


def _is_of_this_release(run: RunRow, step: StepRow) -> bool:
    """Whether this process can run the step, and move its run on once it has ended.

    Of a type this process needs to know what it makes of a list, and how long it holds a run. An undo needs
    its step alone.
    """
    if catalogue.is_foreign(step):
        return False
    return step["phase"] == "comp" or run["kind"] == RunKind.CODE or run["type"] in catalogue.types()


def _left(j: Journal, step: StepRow) -> Dropped:
    """Leave a step of another release to a worker that knows it: it stays expected, nothing is counted."""
    # Expected in the near future, not "not expected": if every worker that knows the step is away for long,
    # the reconciler still publishes for it. Nothing was lost, so the pauses between publications must not
    # grow (`dispatch_attempts`).
    later, before = j.now + ELSEWHERE_MS, j.run["waiting_on"] or {}
    if step["branch"]:
        j.change(step, expect_since=later)
    else:
        since = before["since"] if before.get("kind") == "worker" else j.now
        waits = {"kind": "worker", "step": step["key"], "queue": step["queue"], "since": since}
        j.set(expect_since=later, dispatch_attempts=0, waiting_on=waits)
    j.flush()
    return Dropped(f"{step['name']} of {j.run['type']} is of another release")


def _known(j: Journal, step: StepRow, rows: Sequence[StepRow]) -> dict[str, Any]:
    if step["phase"] == "forward":
        values = known_values(j.run, rows, step["ordinal"])
        return {**values, **(step["given"] or {}), "ref": step["ref"], "called": step["signal"]}
    # An undo gets what its forward step knew, and not what later steps stored under the same names: these are
    # undone first, and what they named is gone by then.
    forward = next(row for row in rows if row["phase"] == "forward" and row["key"] == step["undoes"])
    seen = [r for r in rows if r["phase"] == "forward" and r["branch"] in ("", forward["branch"])]
    values = known_values(j.run, seen, forward["ordinal"])
    own = forward["output"] or {}
    return {**values, **own, **(forward["given"] or {}), "ref": forward["ref"], "outcome": forward["outcome"]}


def _current(j: Journal, step: StepRow, gen: int) -> bool:
    # A generation belongs to what a message carries: the main line, or one member. With one counter for the
    # whole run, publishing for one member again would silence all its siblings.
    return bool(gen == (step["gen"] if step["branch"] else j.run["dispatch_gen"]))


def _refusal(j: Journal, step: StepRow, rows: Sequence[StepRow], gen: int, holder: Holder) -> str | None:
    if j.status not in CLAIMABLE[step["phase"]]:
        return f"the run is {j.status}"
    # A doubled or late message of an earlier publication: a newer chain carries this run.
    if not _current(j, step, gen):
        return "an older generation"
    if step["status"] == StepStatus.RUNNING:
        return None if step["holder"] == holder.nonce else "another worker has it"
    if step["status"] != StepStatus.PENDING:
        return f"the step is {step['status']}"
    # A message says where to look. It proves nothing about the steps before its own (I5).
    before = (
        row
        for row in rows
        if row["phase"] == step["phase"]
        and row["branch"] == step["branch"]
        and row["ordinal"] < step["ordinal"]
    )
    if any(row["status"] not in STEP_DONE for row in before):
        return "an earlier step is not done"
    return None
