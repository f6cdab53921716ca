"""Timers: rows that wake a run at a time; the sorted set in Redis is only their fast path.

1. A transition arms a timer in its own transaction. After the commit its id goes to the sorted set.
2. A reconciler takes due ids from the set, ten times a second. Once a second it also asks SQL for timers that
   are overdue: the set may be empty, late or lost.
3. Firing is an UPDATE on the condition that the timer is open and due, under the lock of its run: it happens
   once, whoever tries (I11). Only after the commit is the id removed from the set.
4. At most one timer of a purpose is open for a step.
"""

from collections.abc import Sequence
from typing import cast

from sqlalchemy import insert, select, update

from app.domain.ids import new_id
from app.domain.rows.runs import TimerRow
from app.record.session import Tx
from app.record.tables import timer

_OPEN = (timer.c.fired_at.is_(None), timer.c.cancelled_at.is_(None))


def arm(
    tx: Tx, run_id: str, *, purpose: str, due_at: int, phase: str | None = None, step: str | None = None
) -> str:
    """Arm a timer; one of the same purpose that is still open is cancelled first."""
    # The unique index of open timers refuses a second one, and a timer of an earlier wait would end this one.
    disarm(tx, run_id, phase=phase, step=step, purposes=(purpose,))
    timer_id = new_id("tmr")
    values = {
        "id": timer_id,
        "run_id": run_id,
        "phase": phase,
        "step": step,
        "purpose": purpose,
        "due_at": due_at,
    }
    tx.execute(insert(timer), {"tenant_id": tx.tenant, **values})
    return timer_id


def disarm(
    tx: Tx, run_id: str, *, phase: str | None = None, step: str | None = None, purposes: Sequence[str] = ()
) -> None:
    """Cancel the open timers of a step, or of a whole run when no step is named.

    What another run wants of this one is not cancelled: the run may have gone on as a fresh one just then.
    """
    where = [timer.c.tenant_id == tx.tenant, timer.c.run_id == run_id, *_OPEN]
    if step is not None:
        where += [timer.c.phase == phase, timer.c.step == step]
    if purposes:
        where.append(timer.c.purpose.in_(purposes))
        if step is None:
            where.append(timer.c.step.is_(None))
    elif step is None:
        # Whoever stops a run may arm this just as the run goes on as a fresh one: `waits.stop_following`
        # passes it on.
        where.append(timer.c.purpose != "stop")
    tx.execute(update(timer).where(*where).values(cancelled_at=tx.now))


def fire(tx: Tx, timer_id: str) -> TimerRow | None:
    """Take a due timer: it is returned once, to one caller, and never before its time."""
    where = (timer.c.tenant_id == tx.tenant, timer.c.id == timer_id, timer.c.due_at <= tx.now, *_OPEN)
    taken = (
        tx.execute(update(timer).where(*where).values(fired_at=tx.now).returning(timer)).mappings().first()
    )
    return None if taken is None else cast("TimerRow", dict(taken))


def fire_all(tx: Tx, run_id: str, purpose: str) -> list[TimerRow]:
    """Take all timers of this purpose that are due of a run; each is returned once."""
    where = (timer.c.tenant_id == tx.tenant, timer.c.run_id == run_id, timer.c.due_at <= tx.now)
    alike = update(timer).where(*where, timer.c.purpose == purpose, *_OPEN)
    taken = tx.execute(alike.values(fired_at=tx.now).returning(timer)).mappings().all()
    return [cast("TimerRow", dict(one)) for one in taken]


def read(tx: Tx, timer_id: str) -> TimerRow | None:
    """A timer, whatever has become of it."""
    return tx.row(select(timer).where(timer.c.tenant_id == tx.tenant, timer.c.id == timer_id), of=TimerRow)


def still_open(tx: Tx, timer_ids: Sequence[str]) -> set[str]:
    """Those of these timers that were neither fired nor cancelled."""
    where = (timer.c.tenant_id == tx.tenant, timer.c.id.in_(timer_ids), *_OPEN)
    return {row["id"] for row in tx.rows(select(timer.c.id).where(*where))}


def due(tx: Tx, before: int, limit: int) -> list[TimerRow]:
    """Open timers that are due before this time, earliest first."""
    where = (timer.c.tenant_id == tx.tenant, timer.c.due_at < before, *_OPEN)
    return tx.rows(select(timer).where(*where).order_by(timer.c.due_at).limit(limit), of=TimerRow)


def armed(tx: Tx, run_id: str, purpose: str) -> bool:
    """Whether a timer of this purpose is open."""
    return any(one["purpose"] == purpose for one in open_of(tx, run_id))


def open_of(tx: Tx, run_id: str) -> list[TimerRow]:
    """The open timers of a run, earliest first."""
    where = (timer.c.tenant_id == tx.tenant, timer.c.run_id == run_id, *_OPEN)
    return tx.rows(select(timer).where(*where).order_by(timer.c.due_at), of=TimerRow)
