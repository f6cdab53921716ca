"""Signals: what was sent to runs, and which wait took it."""

from collections.abc import Mapping
from itertools import accumulate
from typing import Any

from sqlalchemy import func, insert, or_, select, update

from app.domain.rows.runs import SignalRow, StepRow
from app.record.runs.event_log import PAGE_BYTES, octets
from app.record.session import Tx
from app.record.tables import run, signal, step


def store(tx: Tx, run_id: str, values: Mapping[str, Any]) -> None:
    """Keep a signal of a locked run."""
    tx.execute(insert(signal), {"tenant_id": tx.tenant, "run_id": run_id, "received_at": tx.now, **values})


def of_run(tx: Tx, run_id: str, *, unread: bool, limit: int = 200) -> list[SignalRow]:
    """The newest signals that a run was sent, newest first: so many, or as many as fit on a page of bytes.

    ``unread``: those that no wait has taken.
    """
    where = [signal.c.tenant_id == tx.tenant, signal.c.run_id == run_id]
    if unread:
        where.append(signal.c.consumed_by.is_(None))
    newest = signal.c.seq.desc()
    size = func.coalesce(octets(tx, signal.c.payload), 0).label("bytes")
    sizes = tx.rows(select(signal.c.id, size).where(*where).order_by(newest).limit(limit))
    before = accumulate((row["bytes"] for row in sizes), initial=0)
    # Sizes first: a run may have been sent more than a process has memory for.
    ids = [row["id"] for row, sent in zip(sizes, before, strict=False) if sent < PAGE_BYTES]
    chosen = (signal.c.tenant_id == tx.tenant, signal.c.id.in_(ids))
    return tx.rows(select(signal).where(*chosen).order_by(newest), of=SignalRow)


def with_key(tx: Tx, run_id: str, origin: str | None, key: str) -> SignalRow | None:
    """The signal that was sent under this idempotency key, to this run or one that it goes on for."""
    where = [signal.c.tenant_id == tx.tenant, signal.c.idempotency_key == key]
    if origin is None:
        return tx.row(select(signal).where(*where, signal.c.run_id == run_id), of=SignalRow)
    line = select(run.c.id).where(
        run.c.tenant_id == tx.tenant, or_(run.c.origin == origin, run.c.id == origin)
    )
    return tx.row(select(signal).where(*where, signal.c.run_id.in_(line)).limit(1), of=SignalRow)


def sender_of(hook_id: str) -> str:
    """Who sends what a hook was executed with."""
    return f"hook/{hook_id}"


def unread(tx: Tx, run_id: str) -> list[SignalRow]:
    """The signals that nobody has taken, the oldest first."""
    where = (signal.c.tenant_id == tx.tenant, signal.c.run_id == run_id, signal.c.consumed_by.is_(None))
    return tx.rows(select(signal).where(*where).order_by(signal.c.seq), of=SignalRow)


def repeatable(tx: Tx, run_id: str) -> list[SignalRow]:
    """What hooks sent to a run, and what else nobody has taken, the oldest first."""
    of_hook = signal.c.sender.startswith(sender_of(""), autoescape=True)
    where = (signal.c.tenant_id == tx.tenant, signal.c.run_id == run_id)
    found = select(signal).where(*where, or_(of_hook, signal.c.consumed_by.is_(None)))
    return tx.rows(found.order_by(signal.c.seq), of=SignalRow)


def oldest_unread(tx: Tx, run_id: str, name: str, hook_id: str | None = None) -> SignalRow | None:
    """The signal of this name, or from this hook, that waits longest for somebody to take it."""
    where = [signal.c.tenant_id == tx.tenant, signal.c.run_id == run_id, signal.c.name == name]
    if hook_id is not None:
        # A hook is answered by its own token alone: a signal of the same name, or of another hook, does not
        # end its wait.
        where.append(signal.c.sender == sender_of(hook_id))
    found = select(signal).where(*where, signal.c.consumed_by.is_(None))
    return tx.row(found.order_by(signal.c.seq).limit(1), of=SignalRow)


def move(tx: Tx, signal_id: str, run_id: str, seq: int) -> None:
    """Give a signal that nobody has taken to another run, whose log tells of it under this number."""
    where = (signal.c.tenant_id == tx.tenant, signal.c.id == signal_id)
    tx.execute(update(signal).where(*where).values(run_id=run_id, seq=seq))


def consume(tx: Tx, signal_id: str, key: str) -> None:
    """Say which call took a signal."""
    where = (signal.c.tenant_id == tx.tenant, signal.c.id == signal_id)
    tx.execute(update(signal).where(*where).values(consumed_by=key))


def oldest_wait(tx: Tx, run_id: str, name: str, sender: str) -> StepRow | None:
    """The first call of a run that waits for a signal of this name, from anybody or from this very hook."""
    where = (step.c.tenant_id == tx.tenant, step.c.run_id == run_id, step.c.phase == "forward")
    waits = select(step).where(*where, step.c.kind == "signal", step.c.status == "waiting")
    # The first call that waits, by its place in the function: two that wait for one name are served in that
    # order.
    found = tx.rows(waits.order_by(step.c.ordinal), of=StepRow)
    return next((row for row in found if _waits_for(row["given"] or {}, name, sender)), None)


def _waits_for(given: Mapping[str, Any], name: str, sender: str) -> bool:
    hook_id = given.get("hook")
    return bool(given["name"] == name) and (hook_id is None or sender == sender_of(hook_id))
