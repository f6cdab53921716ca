"""Hooks: tokens that somebody outside calls; only their hashes are stored."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, select, update

from app.domain.ids import new_id
from app.domain.rows.runs import HookRow
from app.record.session import Tx
from app.record.tables import hook


def create(
    tx: Tx, *, token_hash: str, run_id: str, step: str, expires_at: int | None = None, **facts: Any
) -> str:
    """Open a hook for a step; ``facts``: name, action, metadata of one that sends a signal."""
    hook_id = new_id("hook")
    values = {"id": hook_id, "token_hash": token_hash, "run_id": run_id, "step": step, "status": "open"}
    tx.execute(
        insert(hook),
        {"tenant_id": tx.tenant, **values, **facts, "created_at": tx.now, "expires_at": expires_at},
    )
    return hook_id


def by_token(tx: Tx, token_hash: str) -> HookRow | None:
    """The hook that a token opens."""
    return tx.row(
        select(hook).where(hook.c.token_hash == token_hash, hook.c.tenant_id == tx.tenant), of=HookRow
    )


def of_run(tx: Tx, run_id: str, limit: int = 200) -> list[HookRow]:
    """The hooks of a run, newest first; nothing of them opens one."""
    where = (hook.c.tenant_id == tx.tenant, hook.c.run_id == run_id)
    columns = [column for column in hook.columns if column.name not in ("token_hash", "payload_hash")]
    query = select(*columns).where(*where).order_by(hook.c.created_at.desc(), hook.c.id.desc())
    return tx.rows(query.limit(limit), of=HookRow)


def executed(tx: Tx, hook_id: str, payload: Any, payload_hash: str) -> None:
    """Record the call of a hook."""
    # Also under the lock of the run, which every call of a hook takes first (I9).
    where = (hook.c.tenant_id == tx.tenant, hook.c.id == hook_id, hook.c.status == "open")
    values = {"status": "executed", "payload": payload, "payload_hash": payload_hash, "executed_at": tx.now}
    tx.execute(update(hook).where(*where).values(**values))


def hand_over(tx: Tx, old_run: str, new_run: str) -> None:
    """Move the open hooks of one run to another, so that whoever was told of them still reaches somebody."""
    where = (hook.c.tenant_id == tx.tenant, hook.c.run_id == old_run, hook.c.status == "open")
    tx.execute(update(hook).where(*where).values(run_id=new_run))


def reopen(tx: Tx, hook_ids: Sequence[str], run_id: str) -> None:
    """Open hooks that ended with their runs for another run; one that was used stays so."""
    where = (hook.c.tenant_id == tx.tenant, hook.c.id.in_(hook_ids), hook.c.status == "expired")
    tx.execute(update(hook).where(*where).values(run_id=run_id, status="open"))


def expire(tx: Tx, run_id: str, step: str | None = None) -> None:
    """Close the open hooks of a step, or of a whole run."""
    where = [hook.c.tenant_id == tx.tenant, hook.c.run_id == run_id, hook.c.status == "open"]
    if step is not None:
        where.append(hook.c.step == step)
    tx.execute(update(hook).where(*where).values(status="expired"))
