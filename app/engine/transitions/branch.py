"""Members of fan-outs: claimed and settled whatever the others do, one as the other is settled.

1. A worker reserves several members (`fast_path.branch.reserve`) and claims the first of them.
2. When its body has ended, one write settles it and claims the next one, if that fits into the time which the
   worker's message may take.
3. The write depends on these members alone and on the run still running. Refused, or undecided without other
   rows, they are two steps again: settle, then claim, under the lock of the run.
4. The member that ends the fan-out is always settled under the lock: whether it is the last cannot be known
   from an older picture (test_the_last_is_left_to_the_lock_however_old_the_worker_s_picture_is).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.domain.rows.runs import StepRow
from app.domain.states import RunStatus, StepStatus
from app.engine.transitions import optimistic
from app.engine.transitions.claim import Claim, Holder, decide, limit_ms, locked_claim
from app.engine.transitions.optimistic import OptimisticMember
from app.engine.transitions.settle import Done, Outcome, Settled, decide_settled
from app.record.fast_path.branch import Reserved
from app.record.session import Database


@dataclass(frozen=True)
class Wanted:
    """A reserved member that somebody wants to claim."""

    member: Reserved
    holder: Holder

    def fits(self, until: float) -> bool:
        """Whether the segment that begins with it can take all its time before this moment."""
        return limit_ms(self.member.step, self._line) <= (until - time.monotonic()) * 1000

    @property
    def _line(self) -> list[StepRow]:
        return [row for row in self.member.seen.steps if row["branch"] == self.member.branch]


def claim_member(db: Database, wanted: Wanted) -> Claim | None:
    """Claim a member, unless somebody else was quicker; what is ours already, by a lost answer, is found."""
    seen = wanted.member.seen
    # The write asks for this status; a run that waits has to become running first, which is a change of the
    # run.
    if seen.run["status"] == RunStatus.RUNNING:
        decided = optimistic.decide_member(db, seen, lambda j: _claimed(j, wanted))
        if decided is not None:
            return replace(decided.result, seen=decided.seen)
    run_id, key, gen = seen.run["id"], wanted.member.key, wanted.member.step["gen"]
    made = db.write(lambda tx: locked_claim(tx, run_id, "forward", key, gen, wanted.holder))
    return made if isinstance(made, Claim) else None


def settle_and_claim(
    db: Database,
    claim: Claim,
    outcome: Outcome,
    following: Wanted,
    *,
    logs: Sequence[dict[str, Any]],
    patience_s: float,
) -> Settled | None:
    """Settle a member and claim another one of its fan-out in one write; None when they are to be two."""
    if (
        claim.seen is None
        or not isinstance(outcome, Done)
        or claim.run["id"] != following.member.seen.run["id"]
    ):
        return None

    def both(j: OptimisticMember) -> Settled:
        settled = decide_settled(j, claim, outcome, logs, chained=False)
        if settled.next is not None or settled.status != StepStatus.COMPLETED:
            return settled
        return replace(settled, beside=_claimed(j, following))

    decided = optimistic.decide_member(db, claim.seen, both, patience_s=patience_s)
    if decided is None:
        return None
    after = decided.result
    if after.next is not None:
        return replace(after, next=replace(after.next, seen=decided.seen))
    return replace(after, beside=after.beside and replace(after.beside, seen=decided.seen))


def _claimed(j: OptimisticMember, wanted: Wanted) -> Claim:
    branch = wanted.member.branch
    rows = [row for row in j.read if row["branch"] in ("", branch)]
    made = decide(j, rows, "forward", wanted.member.key, wanted.member.step["gen"], wanted.holder)
    if not isinstance(made, Claim):
        # Also when somebody else was quicker with the following member: nothing is written then, and the
        # result of the first is settled by itself (test_when_another_took_what_follows_nothing_is_written).
        raise optimistic.NeedsLock
    return made
