"""Locks of runs on resources: taken at the start, handed to the next in line at the end.

The owner is a run, a durable row, so a dead worker never frees a machine in the middle of an installation.

1. A new run enters the resource: it locks the row of its fence, which stays for good. The lock itself is a
   row that comes and goes, and nobody can lock a row that is not there.
2. Nobody holds it and nobody waits: the run gets it under the next fence. Otherwise it is refused, or it
   takes a place in line.
3. The transaction that ends the holder deletes the lock and grants it to the run that waits longest.
4. That run is taken only when nobody else has it locked (``SKIP LOCKED``): the order of locks is run, then
   resource, and waiting for a second run here could wait in a circle. What is left over is granted by the
   reconciler (`resume.grant_waiting`).
"""

from collections.abc import Sequence
from typing import Any

from app.domain.errors import Conflict, ResourceLocked
from app.domain.events import EventType
from app.domain.states import NEEDS_OPERATOR, RunStatus
from app.engine.transitions.journal import Journal, journal
from app.record import listing
from app.record.runs import locks, runs
from app.record.session import Tx

MOST_NAMED = 20  # Locked resources that one refusal names.


def enter(j: Journal, resource: str) -> None:
    """Keep everybody else away from a resource; what comes now comes after what they did to it."""
    # Whoever had it may have written events after our clock was read. Without a second look the log of the
    # lock would show a grant before the release that made it possible
    # (test_a_grant_comes_after_whatever_its_transaction_has_waited_for).
    locks.enter(j.tx, resource)
    j.now = j.tx.read_clock()


def take(j: Journal, resource: str, on_conflict: str) -> bool:
    """Give the resource to a new run or put it in line; raises `Conflict` naming the holder."""
    enter(j, resource)
    held = locks.holder(j.tx, resource)
    # Free is not enough: between a release and a grant that was left over, whoever comes by would overtake
    # the line (test_a_free_resource_with_a_line_is_not_taken_out_of_turn).
    if held is None and not locks.waiters(j.tx, resource):
        j.event(EventType.LOCK_GRANTED, resource=resource, fence=locks.grant(j.tx, resource, j.id))
        return True
    owner = held["run_id"] if held else locks.next_waiter(j.tx, resource)
    if on_conflict != "queue":
        holder = _holder(j.tx, owner)
        at = f" at {holder['step']}" if holder["step"] else ""
        what = "wait for it"
        if holder["needsOperator"]:
            what = f"it needs an operator{at} ({holder['detail']}): resume, retry or compensate it first"
        raise Conflict(
            f"{resource} is locked by run {owner}; {what}, or use onConflict=queue",
            resource=resource,
            holder=holder,
        )
    locks.queue_up(j.tx, resource, j.id)
    wait_in_line(j, resource, owner)
    return False


def take_all(j: Journal, resources: Sequence[str]) -> None:
    """Give several resources to a new run, or none; raises `ResourceLocked` naming who holds the first."""
    wanted = sorted(set(resources))  # In one order for all, so that two runs never wait for each other.
    locks.enter_all(j.tx, wanted)
    j.now = j.tx.read_clock()
    taken = locks.taken(j.tx, wanted)
    if taken:
        resource, owner = taken[0]
        raise ResourceLocked(
            f"{resource} is locked by run {owner}; wait for it, or cancel it first",
            resource=resource,
            holder=_holder(j.tx, owner),
            locked=[name for name, _owner in taken[:MOST_NAMED]],
        )
    for resource, fence in locks.grant_all(j.tx, wanted, j.id).items():
        j.event(EventType.LOCK_GRANTED, resource=resource, fence=fence)


def wait_again(j: Journal) -> None:
    """Let a run that was paused in line wait on, in its old place."""
    ticket = locks.tickets(j.tx, j.id)[0]
    held = locks.holder(j.tx, ticket["resource"])
    wait_in_line(j, ticket["resource"], held["run_id"] if held else None)


def wait_in_line(j: Journal, resource: str, owner: str | None) -> None:
    """The run stands in line for a resource and says who holds it."""
    waiting = {"kind": "lock", "resource": resource, "holder": owner, "since": j.now}
    j.become(RunStatus.LOCK_WAITING, waiting_on=waiting)


def release_all(j: Journal) -> None:
    """Free what an ended run holds, leave every line, and let the next in line begin."""
    held = [row["resource"] for row in locks.held_by(j.tx, j.id)]
    # Out of every line first, or a run that ends while it waits could be granted what it no longer wants.
    locks.withdraw(j.tx, j.id)
    if not held:
        return
    locks.enter_all(j.tx, held)
    j.now = j.tx.read_clock()
    locks.release_all(j.tx, held)
    for resource in held:
        j.event(EventType.LOCK_RELEASED, resource=resource)
    # One question for all of them: a batch holds a thousand, and nearly nobody waits.
    for resource in locks.waited_for(j.tx, held):
        grant_next(j, resource)


def grant_next(j: Journal, resource: str) -> None:
    """Give a free, entered resource to the run that waits longest, unless that run is busy just now."""
    waiter = locks.next_waiter(j.tx, resource)
    # Never wait for the second run: it may hold what we need, and wait for us.
    if waiter is None or waiter == j.id or not runs.lock_run_if_free(j.tx, waiter):
        return
    with journal(j.tx, waiter) as other:
        grant_to(other, resource)
    j.messages.extend(other.messages)


def grant_to(other: Journal, resource: str) -> None:
    """Give a free, entered resource to a waiting run."""
    locks.withdraw(other.tx, other.id)
    other.event(EventType.LOCK_GRANTED, resource=resource, fence=locks.grant(other.tx, resource, other.id))
    # It gets the lock all the same and begins when it is let go: passing it over would cost it its place.
    if other.status == RunStatus.PAUSED:
        other.set(paused_from=str(RunStatus.QUEUED))
        return
    other.become(RunStatus.QUEUED, waiting_on=None)
    first = next(row for row in other.line("forward") if row["status"] == "pending")
    other.enqueue(first, other.line("forward"))


def _holder(tx: Tx, run_id: str | None) -> dict[str, Any]:
    """Who holds a resource, at which step, and whether it goes on by itself."""
    found = None if run_id is None else runs.read_run(tx, run_id)
    if run_id is None or found is None:
        return {"runId": run_id, "step": None, "detail": None, "needsOperator": False}
    step, detail = listing.current_step(tx, run_id), found["status"]
    return {"runId": run_id, "step": step, "detail": detail, "needsOperator": detail in NEEDS_OPERATOR}
