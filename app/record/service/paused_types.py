"""Workflow types that an operator has paused."""

from typing import Any

from sqlalchemy import delete, insert, select

from app.record.session import Tx
from app.record.tables import type_state


def paused(tx: Tx) -> dict[str, dict[str, Any]]:
    """The paused types by name, with reason and actor."""
    rows = tx.rows(
        select(type_state).where(type_state.c.tenant_id == tx.tenant, type_state.c.paused_at.is_not(None))
    )
    return {row["type"]: row for row in rows}


def change(tx: Tx, name: str, pause: bool, actor: str, reason: str | None) -> None:
    """Pause a type, or let it go on."""
    tx.execute(delete(type_state).where(type_state.c.tenant_id == tx.tenant, type_state.c.type == name))
    if pause:
        values = {"type": name, "paused_at": tx.now, "reason": reason, "actor": actor}
        tx.execute(insert(type_state), {"tenant_id": tx.tenant, **values})
