"""Gates before accounts, each decided under the lock of its row: see `app.domain.gate`."""

from dataclasses import asdict
from typing import Any

from sqlalchemy import delete, func, select, update

from app.domain.gate import Gate, Limits
from app.record.session import Tx
from app.record.tables import account_gate, account_slot


def enter(tx: Tx, account_id: str, holder: str, limits: Limits, hold_ms: int) -> int:
    """Take a slot and a token: 0, or how many milliseconds to wait."""
    gate = _locked(tx, account_id, limits)
    slots = (account_slot.c.tenant_id == tx.tenant, account_slot.c.account == account_id)
    # Slots of dead processes end by themselves; nobody would give them back.
    tx.execute(delete(account_slot).where(*slots, account_slot.c.until <= tx.now))
    under_way = int(tx.value(select(func.count()).where(*slots)) or 0)
    gate, wait = gate.enter(limits, tx.now, under_way)
    _keep(tx, account_id, gate)
    if wait == 0:
        slot = {"tenant_id": tx.tenant, "account": account_id, "holder": holder, "until": tx.now + hold_ms}
        tx.execute(tx.insert(account_slot).values(slot).on_conflict_do_nothing())
    return wait


def leave(tx: Tx, account_id: str, holder: str) -> None:
    """Give back the slot."""
    its = (account_slot.c.tenant_id == tx.tenant, account_slot.c.account == account_id)
    tx.execute(delete(account_slot).where(*its, account_slot.c.holder == holder))


def throttled(tx: Tx, account_id: str, limits: Limits, asked_ms: int) -> None:
    """The provider complained: close the gate for everybody."""
    _keep(tx, account_id, _locked(tx, account_id, limits).throttled(limits, tx.now, asked_ms))


def _locked(tx: Tx, account_id: str, limits: Limits) -> Gate:
    fresh = {"tenant_id": tx.tenant, "account": account_id, **asdict(Gate.fresh(limits, tx.now))}
    # There must be a row to lock before the first call of an account.
    tx.execute(tx.insert(account_gate).values(fresh).on_conflict_do_nothing())
    row: dict[str, Any] = tx.row(select(account_gate).where(*_one(tx, account_id)).with_for_update()) or fresh
    return Gate(**{name: int(row[name] or 0) for name in Gate.__dataclass_fields__})


def _keep(tx: Tx, account_id: str, gate: Gate) -> None:
    tx.execute(update(account_gate).where(*_one(tx, account_id)).values(**asdict(gate)))


def _one(tx: Tx, account_id: str) -> tuple[Any, ...]:
    return (account_gate.c.tenant_id == tx.tenant, account_gate.c.account == account_id)
