"""Hooks of an application, found by id or token; hooks that are not disposed come first."""

from typing import Any

from sqlalchemy import case, select

from app.domain.apps.words import HookStatus
from app.record.apps.scope import Scope
from app.record.session import Tx
from app.record.tables import app_hook, app_wait

Row = dict[str, Any]
_LISTENS_FIRST = case(
    (app_hook.c.status == str(HookStatus.PENDING), 0),
    (app_hook.c.status == str(HookStatus.RECEIVED), 1),
    else_=2,
)
_NEWEST_FIRST = (app_hook.c.created_at.desc(), app_hook.c.run_id.desc())


def by_id(tx: Tx, scope: Scope, hook_id: str) -> Row | None:
    """The hook with a correlation id: one that is not disposed if there is one, else the newest."""
    found = select(app_hook).where(scope.owns(app_hook), app_hook.c.correlation_id == hook_id)
    over = case((app_hook.c.status == str(HookStatus.DISPOSED), 1), else_=0)
    return tx.row(found.order_by(over, *_NEWEST_FIRST).limit(1))


def by_token(tx: Tx, scope: Scope, token: str) -> Row | None:
    """The hook that holds a token, else the last one that held it."""
    found = select(app_hook).where(scope.owns(app_hook), app_hook.c.token == token)
    held = case((app_hook.c.disposed_at.is_(None), 0), else_=1)
    return tx.row(found.order_by(held, _LISTENS_FIRST, *_NEWEST_FIRST).limit(1))


def page(tx: Tx, scope: Scope, run_id: str | None, *, offset: int, limit: int) -> list[Row]:
    """Hooks by correlation id: all of a run, or those of the application that are not disposed."""
    found = select(app_hook).where(scope.owns(app_hook))
    if run_id is None:
        found = found.where(app_hook.c.status != str(HookStatus.DISPOSED))
    else:
        found = found.where(app_hook.c.run_id == run_id)
    return tx.rows(found.order_by(app_hook.c.correlation_id, app_hook.c.run_id).limit(limit).offset(offset))


def has_hooks(tx: Tx, scope: Scope, run_id: str) -> bool:
    """Whether a run has created any hook."""
    return bool(page(tx, scope, run_id, offset=0, limit=1))


def waits(tx: Tx, scope: Scope, run_id: str, status: str | None = None) -> list[Row]:
    """The waits of a run, of one status if it is given."""
    found = select(app_wait).where(scope.owns(app_wait), app_wait.c.run_id == run_id)
    if status is not None:
        found = found.where(app_wait.c.status == status)
    return tx.rows(found.order_by(app_wait.c.created_at, app_wait.c.correlation_id))
