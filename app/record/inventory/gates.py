"""Gates in front of management controllers: one session at a time, and no storm of refused logins."""

from typing import Any

from sqlalchemy import delete, or_, select, tuple_, update

from app.record.session import Tx
from app.record.tables import bmc_gate, intent, step


def enter(tx: Tx, server_id: str, holder: str, hold_ms: int) -> bool:
    """Take the gate unless another run holds it; one whose worker was lost, or that is late, has lost it."""
    tx.execute(tx.insert(bmc_gate).values(tenant_id=tx.tenant, server_id=server_id).on_conflict_do_nothing())
    its = (step.c.tenant_id == tx.tenant, step.c.run_id == bmc_gate.c.holder, step.c.status == "running")
    at_work = select(step.c.key).where(*its).exists()
    # Three ways to be free: it is ours already (a repeated attempt), its time is over, or its run has no step
    # at work, so that the worker which held it is gone and need not be waited for.
    free = or_(bmc_gate.c.holder == holder, bmc_gate.c.held_until < tx.now, ~at_work)
    taken = update(bmc_gate).where(*_gate(tx, server_id), free)
    return tx.execute(taken.values(holder=holder, held_until=tx.now + hold_ms)).rowcount == 1


def leave(tx: Tx, server_id: str, holder: str, *, refused: bool, limit: int, window_ms: int) -> None:
    """Open the gate again; the third refused login in a row closes it for logins for a while."""
    state = tx.row(select(bmc_gate).where(*_gate(tx, server_id)))
    if state is None:
        return
    count = state["refused"] + 1 if refused else 0
    after = tx.now + window_ms if count >= limit else None
    values = {"holder": None, "held_until": None, "refused": 0 if after else count, "login_after": after}
    tx.execute(update(bmc_gate).where(*_gate(tx, server_id), bmc_gate.c.holder == holder).values(**values))


def login_after(tx: Tx, server_id: str) -> int | None:
    """When the next login may be tried, or None for now."""
    after: int | None = tx.value(select(bmc_gate.c.login_after).where(*_gate(tx, server_id)))
    return after if after is not None and after > tx.now else None


def forgive(tx: Tx, server_id: str) -> None:
    """The credential was changed: logins may be tried again."""
    tx.execute(update(bmc_gate).where(*_gate(tx, server_id)).values(refused=0, login_after=None))


def intend(tx: Tx, operation: str, fence: int) -> bool:
    """Record that an order is about to be sent which must never be sent twice; False when it must not be.

    A worker that was away may have lost the step by now. The step's row is taken with the intent: whoever
    claims the step later waits for it, and finds it before sending anything.
    """
    run_id, phase, key = operation.split("/", 2)
    place = (step.c.tenant_id == tx.tenant, step.c.run_id == run_id, step.c.phase == phase, step.c.key == key)
    # Chaos plants this line as "an order is sent by a worker that has lost its step".
    held = select(step.c.fence).where(*place, step.c.fence == fence, step.c.status == "running")
    if tx.value(held.with_for_update(key_share=True)) is None:
        return False
    values = {"tenant_id": tx.tenant, "operation": operation, "fence": fence, "at": tx.now}
    tx.execute(tx.insert(intent).values(values).on_conflict_do_nothing())
    return True


def withdraw(tx: Tx, operation: str) -> None:
    """Forget the intents of an order that was not sent, for certain."""
    tx.execute(delete(intent).where(intent.c.tenant_id == tx.tenant, intent.c.operation == operation))


def intended(tx: Tx, operation: str, fence: int) -> bool:
    """Whether the order may have been sent by any attempt before this one."""
    # Not our own: an attempt asks whether one before it may have sent the order.
    where = (intent.c.tenant_id == tx.tenant, intent.c.operation == operation, intent.c.fence < fence)
    return tx.value(select(intent.c.fence).where(*where).limit(1)) is not None


def forget_before(tx: Tx, before: int, limit: int = 1_000) -> int:
    """Forget intents whose runs are deleted by now, in one small batch; returns how many."""
    old = (intent.c.tenant_id == tx.tenant, intent.c.at < before)
    found = select(intent.c.operation, intent.c.fence).where(*old).limit(limit)
    keys = [(row["operation"], row["fence"]) for row in tx.rows(found.with_for_update(skip_locked=True))]
    chosen = tuple_(intent.c.operation, intent.c.fence).in_(keys)
    tx.execute(delete(intent).where(intent.c.tenant_id == tx.tenant, chosen))
    return len(keys)


def _gate(tx: Tx, server_id: str) -> tuple[Any, ...]:
    return (bmc_gate.c.tenant_id == tx.tenant, bmc_gate.c.server_id == server_id)
