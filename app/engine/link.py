"""What a link does: the steps of the run that its message names, then of others that wait, if that is short.

A message is not published while another one waits in the same queue. So whoever takes a message sees to it
that what waits at that moment is found: a `Look` is rung before the body runs, and before the link returns it
goes on with other runs itself. Each transition stays a commit of its own.
"""

import random
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from app.engine.claim import Claim, Dropped, Holder, Passed, claim, claim_member, claim_seen
from app.engine.code.advance import advance
from app.engine.execute import Runner, perform
from app.engine.journal import Look
from app.engine.settle import settle
from app.engine.tell import tell
from app.record import waiting
from app.record.transition import Seen

SETTLE_PATIENCE_S = 600.0  # A result is kept in memory this long while SQL is away; the fence decides then.
MOST_CLAIMS, MOST_S = 32, 0.2  # A link that goes on with others ends after this, so that Celery sees it.
MOST_RESERVED, QUICK_S = 4, 0.02
SIGHT = 16  # Members of fan-outs among which workers choose at random, so that few choose the same.


@dataclass(frozen=True)
class Ended:
    """How a link ended, and whether its chain goes on."""

    chain_goes_on: bool
    word: str
    failed: bool = False


def run_link(
    runner: Runner, *, run_id: str, phase: str, key: str, gen: int, task_id: str, chained: bool
) -> Ended:
    """Run the steps of a segment from this one on; ``chained``: the message carries a further link."""
    claimed = claim(runner.db, run_id, phase, key, gen, _holder(runner, task_id))
    if isinstance(claimed, Passed):
        return Ended(True, "passed")
    if isinstance(claimed, Dropped):
        return Ended(False, f"dropped: {claimed.reason}")
    return _carry(runner, claimed, chained)


def go_on(runner: Runner, queue: str, *, task_id: str, limit_s: float) -> int:
    """Run what else waits in a queue, if its own limits fit into this message's; returns how many claims."""
    began = looked = time.monotonic()
    claims, batch = 0, 1
    while claims < MOST_CLAIMS and time.monotonic() - began < MOST_S:
        batch_began, made = time.monotonic(), 0
        reserved = waiting.reserve(runner.db, queue, batch)
        found = _runs if reserved else _member
        for claimed in found(runner, reserved, queue, task_id, began + limit_s):
            if not claims or time.monotonic() - looked > QUICK_S:
                _tell(runner, queue)
                looked = time.monotonic()
            _carry(runner, claimed, False)
            claims, made = claims + 1, made + 1
        if not reserved and not made:
            return claims
        # What is reserved waits for the others, so more than one is only while each takes next to no time.
        is_quick = made and time.monotonic() - batch_began < QUICK_S * made
        batch = min(batch * 2, MOST_RESERVED) if is_quick else 1
    _tell(runner, queue)
    return claims


def _tell(runner: Runner, queue: str) -> None:
    """Let the others know that more waits, before a body may keep this worker for long."""
    if waiting.anything(runner.db, queue):
        runner.ring([Look(queue=queue)])


def _runs(runner: Runner, reserved: list[Seen], _queue: str, task_id: str, until: float) -> Iterator[Claim]:
    """Claims on runs that are reserved."""
    for seen in reserved:
        claimed = claim_seen(runner.db, seen, _holder(runner, task_id), until - time.monotonic())
        if claimed is not None:
            yield claimed


def _member(runner: Runner, _none: list[Seen], queue: str, task_id: str, until: float) -> Iterator[Claim]:
    """A claim on one member of a fan-out."""
    members = waiting.ready_members(runner.db, queue, SIGHT)
    random.shuffle(members)
    for member in members:
        claimed = claim_member(runner.db, member, _holder(runner, task_id), until - time.monotonic())
        if claimed is not None:
            yield claimed
            return


def _carry(runner: Runner, claimed: Claim, chained: bool) -> Ended:
    runner.ring(claimed.hints)
    if claimed.step["kind"] == "code":
        status = advance(runner, claimed)
        return Ended(False, status, failed=status == "failed")
    while True:
        outcome, logs = perform(runner, claimed)
        settled = settle(
            runner.db, claimed, outcome, logs=logs, chained=chained, patience_s=SETTLE_PATIENCE_S
        )
        tell(runner.db, runner.ring, settled.hints)
        if settled.next is None:
            return Ended(settled.chained, settled.status, failed=settled.status == "failed")
        claimed = settled.next


def _holder(runner: Runner, task_id: str) -> Holder:
    return Holder(nonce=f"{runner.instance}/{uuid.uuid4().hex}", task_id=task_id, lease_ms=runner.lease_ms)
