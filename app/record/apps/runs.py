"""Runs of an application: one, a page of them, and the newest completed run of a workflow."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import select, tuple_

from app.domain.apps.words import OPEN, AppRunStatus
from app.record.apps.scope import Scope
from app.record.session import Tx
from app.record.tables import app_run

Row = dict[str, Any]


def one(tx: Tx, scope: Scope, run_id: str) -> Row | None:
    """One run."""
    return tx.row(select(app_run).where(scope.owns(app_run), app_run.c.id == run_id))


def page(
    tx: Tx,
    scope: Scope,
    *,
    workflow: str | None = None,
    statuses: Collection[str] = (),
    deployment: str | None = None,
    before: tuple[int, str] | None = None,
    limit: int,
) -> list[Row]:
    """Runs that match the filters, newest first, strictly before a time and id."""
    found = select(app_run).where(scope.owns(app_run))
    if workflow is not None:
        found = found.where(app_run.c.workflow == workflow)
    if deployment is not None:
        found = found.where(app_run.c.deployment == deployment)
    if statuses:
        found = found.where(app_run.c.status.in_([str(status) for status in statuses]))
        # Redundant, but it lets the query use the partial index of open runs, or that of ended ones.
        if OPEN.issuperset(statuses):
            found = found.where(app_run.c.completed_at.is_(None))
        elif OPEN.isdisjoint(statuses):
            found = found.where(app_run.c.completed_at.is_not(None))
    if before is not None:
        # With the id: a page may end within a millisecond in which several runs were created.
        found = found.where(tuple_(app_run.c.created_at, app_run.c.id) < before)
    return tx.rows(found.order_by(app_run.c.created_at.desc(), app_run.c.id.desc()).limit(limit))


def newest_completed(tx: Tx, scope: Scope, workflow: str, deployment: str | None) -> Row | None:
    """The newest run of a workflow that completed."""
    found = page(
        tx,
        scope,
        workflow=workflow,
        deployment=deployment,
        statuses=[AppRunStatus.COMPLETED],
        limit=1,
    )
    return found[0] if found else None
