"""What a link does: it runs the steps of the run that its message names, then short steps of other runs.

1. Claim the step that the message names. When it is passed or dropped, this link does nothing for this run.
2. Publish a `WakeUp` if more work waits in the queue. No message is published while another one waits there,
   so each receiver of a message must make sure that the rest is found, before a body occupies this worker.
3. Run the body, settle it, and claim the next step of the segment with it (T23), until the segment ends.
4. Continue with other runs that wait, for at most 200 ms or 32 claims: reserve a few, claim each, and run it
   if its time limit fits into the rest of this message's time limit. Each transition is a commit of its own.
5. Give back reserved work that does not fit. Work that was reserved by a worker that dies becomes visible
   again after a second.
"""

import secrets
import time
from dataclasses import dataclass
from itertools import cycle, zip_longest

import structlog

from app.auth.secrets import redact
from app.domain.run_kind import RunKind
from app.engine.messages.publish import ParentTimers, publish_and_fire
from app.engine.transitions.branch import Wanted, claim_member, settle_and_claim
from app.engine.transitions.claim import Claim, Dropped, Holder, Passed, claim, claim_seen, next_limit_ms
from app.engine.transitions.settle import Failed, Outcome, settle
from app.record.fast_path import branch, ready
from app.record.fast_path.branch import Reserved
from app.record.fast_path.transition import RunSnapshot
from app.worker.code.advance import advance
from app.worker.execute import Runner, perform
from chains.messages import WakeUp

SETTLE_PATIENCE_S = 600.0  # A result is kept in memory this long while SQL is away; the fence decides then.
MOST_CLAIMS, MOST_S = 32, 0.2  # A link that runs further work ends after this, so that Celery sees its end.
MOST_RUNS, MOST_MEMBERS = 4, 16  # Reserved at a time; of operations of batches as many as of members.
QUICK_S = 0.02
RUNS_FIRST = cycle((True, False))  # Where both wait: neither new runs nor a wide fan-out keep the others out.
REASON_CHARS = 500  # Of an error, in a log line and in what Celery keeps for Flower; the run has all of it.
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Ended:
    """How a link ended, and whether its chain goes on."""

    chain_goes_on: bool
    word: str
    failed: bool = False
    reason: str = ""  # Why the last step did not complete: code and message.
    bodies_s: float = 0.0  # How long the bodies took.
    beside: Claim | None = None  # The claim on another member of the same fan-out.


def run_link(
    runner: Runner, *, run_id: str, phase: str, key: str, gen: int, task_id: str, chained: bool
) -> Ended:
    """Run the steps of a segment from this one on; ``chained``: the message carries a further link."""
    claimed = claim(runner.db, run_id, phase, key, gen, _holder(runner, task_id))
    if isinstance(claimed, Passed):
        return Ended(True, "passed")
    if isinstance(claimed, Dropped):
        return Ended(False, f"dropped: {claimed.reason}")
    return _run_segment(runner, claimed, chained)


def go_on(runner: Runner, queue: str, *, task_id: str, limit_s: float) -> int:
    """Run other work of a queue whose time limits fit into this message's; returns the number of claims."""
    shift = _Shift(runner, queue, task_id, limit_s)
    try:
        if shift.work():
            shift.wake_others()
    finally:
        shift.give_back()
    return shift.claims


class _Shift:
    """The further work that is done for one message, after its own run."""

    def __init__(self, runner: Runner, queue: str, task_id: str, limit_s: float) -> None:
        self._runner, self._queue, self._task_id = runner, queue, task_id
        self._began = self._woken_at = time.monotonic()
        self._until = self._began + limit_s
        self._left: list[RunSnapshot | Reserved] = []  # Reserved, but may take too long for this message.
        self._bodies_s = 0.0
        self._most_runs = MOST_RUNS
        self.claims = 0

    def work(self) -> bool:
        """Claim and run work: False when nothing waits any more, True when a limit of a link is reached."""
        batch = 1
        while self.claims < MOST_CLAIMS and time.monotonic() - self._began < MOST_S:
            claims, bodies_s = self.claims, self._bodies_s
            if not self._some(batch):
                return False
            # Reserved work waits for the work before it: reserve several only while bodies take no time.
            is_quick = self._bodies_s - bodies_s < QUICK_S * (self.claims - claims)
            batch = min(batch * 2, MOST_MEMBERS) if is_quick else 1
        return True

    def wake_others(self) -> None:
        """Publish a wake-up if more work waits, before a body may occupy this worker for long."""
        self._woken_at = time.monotonic()
        if ready.more(self._runner.db, self._queue):
            self._runner.publish([WakeUp(queue=self._queue)])

    def give_back(self) -> None:
        """End the reservations of work that did not fit, so that workers and the reconciler see it again."""
        for one in self._left:
            if isinstance(one, Reserved):
                branch.give_back(self._runner.db, one)
            else:
                ready.give_back(self._runner.db, one)

    def _some(self, most: int) -> int:
        """Claim runs or members of fan-outs, in turns; returns how many were there."""
        runs, members = ready.kinds(self._runner.db, self._queue)
        if not runs and not members:
            return 0
        # In turns: otherwise an endless supply of one kind would keep the other one waiting (chaos: "new
        # runs before members").
        if not members or (runs and next(RUNS_FIRST)):
            return self._runs(most) or self._members(most)
        return self._members(most) or self._runs(most)

    def _runs(self, most: int) -> int:
        reserved = ready.reserve(self._runner.db, self._queue, min(most, self._most_runs))
        # Their batch is informed of all of them in one transaction: many at a time take its lock less often.
        of_batches = bool(reserved) and all(seen.run["kind"] == RunKind.BATCH for seen in reserved)
        self._most_runs = MOST_MEMBERS if of_batches else MOST_RUNS
        parents = ParentTimers(self._runner.db, self._runner.publish)
        for seen in reserved:
            # Celery kills the process at the time limit of the message, whatever runs then: a step that may
            # take longer needs a message of its own (test_what_does_not_fit_into_the_time_left_is_left).
            if next_limit_ms(seen) > (self._until - time.monotonic()) * 1000:
                self._left.append(seen)
                continue
            claimed = claim_seen(self._runner.db, seen, _holder(self._runner, self._task_id))
            if claimed is not None:
                parents.leave_to_reconciler()
                self._run_segment(claimed, parents=parents)
        parents.fire()
        return len(reserved)

    def _members(self, most: int) -> int:
        reserved = branch.reserve(self._runner.db, self._queue, most)
        wanted = [Wanted(one, _holder(self._runner, self._task_id)) for one in reserved]
        claimed: Claim | None = None
        for one, following in zip_longest(wanted, wanted[1:]):
            if claimed is None and not one.fits(self._until):
                self._left.append(one.member)
            elif claimed is None:
                claimed = claim_member(self._runner.db, one)
            if claimed is not None:
                claimed = self._run_segment(claimed, following).beside
        return len(wanted)

    def _run_segment(
        self, claimed: Claim, following: Wanted | None = None, parents: ParentTimers | None = None
    ) -> Ended:
        # Before the first body, and again once bodies take time, but not before each: the query costs as much
        # as a short step.
        if not self.claims or time.monotonic() - self._woken_at > QUICK_S:
            self.wake_others()
        ended = _run_segment(self._runner, claimed, False, following, self._until, parents)
        self.claims += 1
        self._bodies_s += ended.bodies_s
        return ended


def _run_segment(
    runner: Runner,
    claimed: Claim,
    chained: bool,
    following: Wanted | None = None,
    until: float = 0.0,
    parents: ParentTimers | None = None,
) -> Ended:
    """Run the steps of a claimed segment; the last is settled with the claim on the member that follows.

    Timers that inform parents go to ``parents``, if given; its owner fires them.
    """
    # Before the body, which may take hours: the messages of a claim wake other workers.
    runner.publish(claimed.messages)
    began, bodies_s = time.monotonic(), 0.0
    if claimed.step["kind"] == "code":
        status = advance(runner, claimed)
        return Ended(False, status, failed=status == "failed", bodies_s=time.monotonic() - began)
    while True:
        began = time.monotonic()
        outcome, logs = perform(runner, claimed)
        bodies_s += time.monotonic() - began
        settled = None
        if following is not None and following.fits(until):
            settled = settle_and_claim(
                runner.db, claimed, outcome, following, logs=logs, patience_s=SETTLE_PATIENCE_S
            )
        if settled is None:
            settled = settle(
                runner.db, claimed, outcome, logs=logs, chained=chained, patience_s=SETTLE_PATIENCE_S
            )
        # After the commit. If this process dies here, SQL expects all of these messages.
        if parents is not None:
            parents.publish_others(settled.messages)
        else:
            publish_and_fire(runner.db, runner.publish, settled.messages)
        reason = _failure_reason(claimed, outcome, settled.status)
        if settled.next is None:
            return Ended(
                settled.chained,
                settled.status,
                failed=settled.status == "failed",
                reason=reason,
                bodies_s=bodies_s,
                beside=settled.beside,
            )
        claimed = settled.next


def _failure_reason(claimed: Claim, outcome: Outcome, status: str) -> str:
    """Log why a step failed, and return it; empty when it succeeded or another worker holds it by now."""
    if not isinstance(outcome, Failed) or status not in ("failed", "retry_wait"):
        return ""
    reason = str(redact(f"{outcome.error.code}: {outcome.error.message}"))[:REASON_CHARS]
    log.warning(
        "step.failed" if status == "failed" else "step.retrying",
        run_id=claimed.run["id"],
        step=claimed.step["key"],
        phase=claimed.step["phase"],
        attempt=claimed.step["attempt"],
        error=reason,
    )
    return reason


def _holder(runner: Runner, task_id: str) -> Holder:
    return Holder(
        nonce=f"{runner.instance}/{secrets.token_hex(8)}", task_id=task_id, lease_ms=runner.lease_ms
    )
