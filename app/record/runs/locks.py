"""Resource locks: visible rows owned by runs, with a growing fence and a queue of waiters."""

from typing import Any

from sqlalchemy import delete, insert, select, update

from app.domain.ids import new_id
from app.domain.rows.runs import LockRow, LockWaiterRow
from app.record.session import Tx
from app.record.tables import lock, lock_fence, lock_waiter


def enter(tx: Tx, resource: str) -> None:
    """Keep everybody else away from a resource's lock until this transaction ends."""
    first = tx.insert(lock_fence).values(tenant_id=tx.tenant, resource=resource, fence=0)
    tx.execute(first.on_conflict_do_nothing())
    tx.execute(select(lock_fence.c.fence).where(*_fence(tx, resource)).with_for_update())


def holder(tx: Tx, resource: str) -> LockRow | None:
    """Who holds a resource."""
    return tx.row(select(lock).where(lock.c.tenant_id == tx.tenant, lock.c.resource == resource), of=LockRow)


def grant(tx: Tx, resource: str, run_id: str) -> int:
    """Give a free, entered resource to a run; returns the fence, greater than any before."""
    raised = update(lock_fence).where(*_fence(tx, resource)).values(fence=lock_fence.c.fence + 1)
    fence = int(tx.value(raised.returning(lock_fence.c.fence)))
    values = {"resource": resource, "run_id": run_id, "fence": fence, "granted_at": tx.now}
    tx.execute(insert(lock), {"tenant_id": tx.tenant, **values})
    return fence


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


def queue_up(tx: Tx, resource: str, run_id: str) -> None:
    """Wait in line for a resource."""
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
    taken = select(lock.c.resource).where(lock.c.tenant_id == tx.tenant)
    where = (lock_waiter.c.tenant_id == tx.tenant, lock_waiter.c.resource.not_in(taken))
    return [
        row["resource"]
        for row in tx.rows(select(lock_waiter.c.resource).where(*where).distinct().limit(limit))
    ]


def _fence(tx: Tx, resource: str) -> tuple[Any, ...]:
    return (lock_fence.c.tenant_id == tx.tenant, lock_fence.c.resource == resource)
