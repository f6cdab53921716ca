"""Accounts at providers of servers."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, delete, insert, select, update

from app.record.paging import Page, Window, page
from app.record.session import Tx
from app.record.tables import account, account_gate, account_slot

Row = dict[str, Any]


def insert_account(tx: Tx, values: Mapping[str, Any]) -> None:
    """Store a new account."""
    tx.execute(
        insert(account), {"tenant_id": tx.tenant, "created_at": tx.now, "updated_at": tx.now, **values}
    )


def read_account(tx: Tx, account_id: str, *, lock: bool = False) -> Row | None:
    """An account, locked until the transaction ends when asked for."""
    found = select(account).where(*_one(tx, account_id))
    return tx.row(found.with_for_update() if lock else found)


def account_named(tx: Tx, name: str) -> Row | None:
    """The account of this name."""
    return tx.row(select(account).where(account.c.tenant_id == tx.tenant, account.c.name == name))


def accounts_of(tx: Tx, provider: str) -> list[Row]:
    """The accounts at a provider, the oldest first."""
    found = select(account).where(account.c.tenant_id == tx.tenant, account.c.provider == provider)
    return tx.rows(found.order_by(account.c.created_at, account.c.id))


def change_account(tx: Tx, account_id: str, changes: Mapping[str, Any]) -> None:
    """Change an account; its version grows."""
    values = {**changes, "version": account.c.version + 1, "updated_at": tx.now}
    tx.execute(update(account).where(*_one(tx, account_id)).values(**values))


def delete_account(tx: Tx, account_id: str) -> None:
    """Forget an account and its gate."""
    for each in (account_slot, account_gate):
        tx.execute(delete(each).where(each.c.tenant_id == tx.tenant, each.c.account == account_id))
    tx.execute(delete(account).where(*_one(tx, account_id)))


def list_accounts(tx: Tx, window: Window, provider: str | None = None) -> Page:
    """Which accounts are there?"""
    where = [account.c.tenant_id == tx.tenant]
    if provider is not None:
        where.append(account.c.provider == provider)
    return page(tx, account, where, window)


def sealed_accounts(tx: Tx, column: str) -> list[Row]:
    """Every account with something sealed in a column (credential, ssh_key), for rotation."""
    sealed, version = account.c[column], account.c[f"{column}_version"]
    where = (account.c.tenant_id == tx.tenant, sealed.is_not(None))
    return tx.rows(select(account.c.id, sealed, version).where(*where))


def reseal(tx: Tx, account_id: str, version: int, column: str, sealed: str) -> bool:
    """Replace what is sealed in a column unless it was changed meanwhile."""
    unchanged = (*_one(tx, account_id), account.c[f"{column}_version"] == version)
    return tx.execute(update(account).where(*unchanged).values({column: sealed})).rowcount == 1


def _one(tx: Tx, account_id: str) -> tuple[ColumnElement[bool], ...]:
    return (account.c.tenant_id == tx.tenant, account.c.id == account_id)
