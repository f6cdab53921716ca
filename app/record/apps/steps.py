"""Steps of a run, in the order in which they were created."""

from typing import Any

from sqlalchemy import or_, select

from app.record.apps.scope import Scope
from app.record.session import Tx
from app.record.tables import app_step

Row = dict[str, Any]


def page(tx: Tx, scope: Scope, run_id: str, *, offset: int = 0, limit: int | None = None) -> list[Row]:
    """Steps of a run, oldest first."""
    found = select(app_step).where(scope.owns(app_step), app_step.c.run_id == run_id)
    return tx.rows(found.order_by(app_step.c.created_at, app_step.c.seq).limit(limit).offset(offset))


def one(tx: Tx, scope: Scope, run_id: str | None, step_id: str) -> Row | None:
    """A step by its id, or, if the run is given, also by its correlation id."""
    found = select(app_step).where(scope.owns(app_step))
    if run_id is None:
        return tx.row(found.where(app_step.c.id == step_id))
    named = or_(app_step.c.id == step_id, app_step.c.correlation_id == step_id)
    return tx.row(found.where(app_step.c.run_id == run_id, named).limit(1))
