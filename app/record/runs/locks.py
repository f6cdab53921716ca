"""Resource locks: visible rows owned by runs, with a growing fence and a queue of waiters."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, insert, select, update

from app.domain.ids import new_id
from app.domain.rows.runs import LockRow, LockWaiterRow
from app.record.session import Tx
from app.record.tables import lock, lock_fence, lock_waiter

MOST_NAMES = 1_000  # Resources that one statement names.


def enter(tx: Tx, resource: str) -> None:
    """Keep everybody else away from a resource's lock until this transaction ends."""
    # The row of the fence is never deleted, so there is always one to wait at. A row of `lock` is missing
    # exactly when two runs want it.
    first = tx.insert(lock_fence).values(tenant_id=tx.tenant, resource=resource, fence=0)
    tx.execute(first.on_conflict_do_nothing())
    tx.execute(select(lock_fence.c.fence).where(*_fence(tx, resource)).with_for_update())


def holder(tx: Tx, resource: str) -> LockRow | None:
    """Who holds a resource."""
    return tx.row(select(lock).where(lock.c.tenant_id == tx.tenant, lock.c.resource == resource), of=LockRow)


def holders(tx: Tx, resources: Sequence[str]) -> dict[str, str]:
    """Which of these resources are held, and by which run."""
    found: dict[str, str] = {}
    for part in _parts(resources):
        where = (lock.c.tenant_id == tx.tenant, lock.c.resource.in_(part))
        rows = tx.rows(select(lock.c.resource, lock.c.run_id).where(*where))
        found.update((row["resource"], row["run_id"]) for row in rows)
    return found


def grant(tx: Tx, resource: str, run_id: str) -> int:
    """Give a free, entered resource to a run; returns the fence, greater than any before."""
    # It outlives the lock: a fence that began anew with each holder would let a late one pass for a newer one
    # (I8).
    raised = update(lock_fence).where(*_fence(tx, resource)).values(fence=lock_fence.c.fence + 1)
    fence = int(tx.value(raised.returning(lock_fence.c.fence)))
    values = {"resource": resource, "run_id": run_id, "fence": fence, "granted_at": tx.now}
    tx.execute(insert(lock), {"tenant_id": tx.tenant, **values})
    return fence


def enter_all(tx: Tx, resources: Sequence[str]) -> None:
    """Keep everybody else away from these locks until this transaction ends; they come in key order."""
    for part in _parts(resources):
        # In key order, like the locking below: two runs that want the same names in different orders wait for
        # each other for ever, or until PostgreSQL ends one of them.
        rows = [{"tenant_id": tx.tenant, "resource": name, "fence": 0} for name in part]
        tx.execute(tx.insert(lock_fence).on_conflict_do_nothing(), rows)
        where = (lock_fence.c.tenant_id == tx.tenant, lock_fence.c.resource.in_(part))
        tx.execute(select(lock_fence.c.fence).where(*where).order_by(lock_fence.c.resource).with_for_update())


def taken(tx: Tx, resources: Sequence[str]) -> list[tuple[str, str]]:
    """Which of these resources are held or waited for, and by which run, in key order."""
    found: dict[str, str] = {}
    for part in _parts(resources):
        for table in (lock_waiter, lock):  # Who holds it is named before who waits for it.
            where = (table.c.tenant_id == tx.tenant, table.c.resource.in_(part))
            rows = tx.rows(select(table.c.resource, table.c.run_id).where(*where))
            found.update((row["resource"], row["run_id"]) for row in rows)
    return sorted(found.items())


def grant_all(tx: Tx, resources: Sequence[str], run_id: str) -> dict[str, int]:
    """Give free, entered resources to a run; returns the fence of each, greater than any before."""
    fences: dict[str, int] = {}
    for part in _parts(resources):
        where = (lock_fence.c.tenant_id == tx.tenant, lock_fence.c.resource.in_(part))
        tx.execute(update(lock_fence).where(*where).values(fence=lock_fence.c.fence + 1))
        rows = tx.rows(select(lock_fence.c.resource, lock_fence.c.fence).where(*where))
        fences.update((row["resource"], int(row["fence"])) for row in rows)
        values = {"tenant_id": tx.tenant, "run_id": run_id, "granted_at": tx.now}
        tx.execute(insert(lock), [{**values, "resource": name, "fence": fences[name]} for name in part])
    return {name: fences[name] for name in resources}


def hand_over(tx: Tx, old_run: str, new_run: str) -> None:
    """Move every lock of one run to another, without a moment in which it is free."""
    tx.execute(
        update(lock).where(lock.c.tenant_id == tx.tenant, lock.c.run_id == old_run).values(run_id=new_run)
    )


def held_by(tx: Tx, run_id: str) -> list[LockRow]:
    """The locks that a run holds, in key order."""
    where = (lock.c.tenant_id == tx.tenant, lock.c.run_id == run_id)
    return tx.rows(select(lock).where(*where).order_by(lock.c.resource), of=LockRow)


def release(tx: Tx, resource: str) -> None:
    """Free an entered resource, whoever holds it."""
    tx.execute(delete(lock).where(lock.c.tenant_id == tx.tenant, lock.c.resource == resource))


def release_all(tx: Tx, resources: Sequence[str]) -> None:
    """Free entered resources, whoever holds them."""
    for part in _parts(resources):
        tx.execute(delete(lock).where(lock.c.tenant_id == tx.tenant, lock.c.resource.in_(part)))


def waited_for(tx: Tx, resources: Sequence[str]) -> list[str]:
    """Those of these resources that somebody waits for, in key order."""
    found: set[str] = set()
    for part in _parts(resources):
        where = (lock_waiter.c.tenant_id == tx.tenant, lock_waiter.c.resource.in_(part))
        found.update(row["resource"] for row in tx.rows(select(lock_waiter.c.resource).where(*where)))
    return sorted(found)


def queue_up(tx: Tx, resource: str, run_id: str) -> None:
    """Wait in line for a resource."""
    # Tickets are in the order of time, by the clock of whoever accepts: the line is their order, and pausing
    # does not cost a place.
    values = {"resource": resource, "ticket": new_id("tkt"), "run_id": run_id, "since": tx.now}
    tx.execute(insert(lock_waiter), {"tenant_id": tx.tenant, **values})


def withdraw(tx: Tx, run_id: str) -> None:
    """Leave every line."""
    tx.execute(
        delete(lock_waiter).where(lock_waiter.c.tenant_id == tx.tenant, lock_waiter.c.run_id == run_id)
    )


def tickets(tx: Tx, run_id: str) -> list[LockWaiterRow]:
    """The lines in which a run stands."""
    return tx.rows(
        select(lock_waiter).where(lock_waiter.c.tenant_id == tx.tenant, lock_waiter.c.run_id == run_id),
        of=LockWaiterRow,
    )


def next_waiter(tx: Tx, resource: str) -> str | None:
    """The run that waits longest for a resource."""
    found = waiters(tx, resource)
    return found[0]["run_id"] if found else None


def waiters(tx: Tx, resource: str) -> list[LockWaiterRow]:
    """The line in front of a resource, longest waiting first."""
    where = (lock_waiter.c.tenant_id == tx.tenant, lock_waiter.c.resource == resource)
    return tx.rows(select(lock_waiter).where(*where).order_by(lock_waiter.c.ticket), of=LockWaiterRow)


def free_with_waiters(tx: Tx, limit: int) -> list[str]:
    """Resources that nobody holds although somebody waits: grants that were left to the reconciler."""
    # Without a lock: a grant may be under way. Whoever acts on it looks again (`resume.grant_waiting`).
    taken = select(lock.c.resource).where(lock.c.tenant_id == tx.tenant)
    where = (lock_waiter.c.tenant_id == tx.tenant, lock_waiter.c.resource.not_in(taken))
    return [
        row["resource"]
        for row in tx.rows(select(lock_waiter.c.resource).where(*where).distinct().limit(limit))
    ]


def _parts(resources: Sequence[str]) -> list[Sequence[str]]:
    return [resources[at : at + MOST_NAMES] for at in range(0, len(resources), MOST_NAMES)]


def _fence(tx: Tx, resource: str) -> tuple[Any, ...]:
    return (lock_fence.c.tenant_id == tx.tenant, lock_fence.c.resource == resource)
