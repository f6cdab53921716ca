"""Runs of code workflows as their own interface asks for them (contracts/code-workflows.rst#endpoints)."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, select

from app.domain.rows.runs import RunRow
from app.domain.run_kind import RunKind
from app.record.paging import Page, Window, page, plan_anew
from app.record.runs import runs
from app.record.runs.run_list import STATUSES_OF, of_kind
from app.record.session import Tx
from app.record.tables import event, run, step

MOST_CHILDREN = 1_000
WAITS = ("sleep", "signal", "child")


def list_runs(tx: Tx, name: str | None, status: str | None, window: Window) -> Page:
    """Which runs of code workflows are there, the newest first?"""
    plan_anew(tx)
    where: list[ColumnElement[bool]] = [run.c.tenant_id == tx.tenant, *of_kind(RunKind.CODE)]
    if name is not None:
        where.append(run.c.type == name)
    if status is not None:
        where.append(run.c.status.in_(STATUSES_OF[status]))
    return page(tx, run, where, window)


def latest(tx: Tx, run_id: str) -> RunRow | None:
    """The run of this id, or the one that goes on in its place (ctx.restart), however often that happened."""
    found = runs.read_run(tx, run_id)
    if found is not None and (found["kind"] != RunKind.CODE or restarted_as(found) is None):
        return found
    origin = run_id if found is None else found["origin"] or run_id
    line = select(run).where(run.c.tenant_id == tx.tenant, run.c.origin == origin)
    return tx.row(line.order_by(run.c.restarts.desc()).limit(1), of=RunRow) or found


def restarted_as(row: Mapping[str, Any]) -> str | None:
    """The run that went on right after this one, which gave no result of its own."""
    following: str | None = (row["output"] or {}).get("restartedAs")
    return following


def children(tx: Tx, run_id: str) -> list[RunRow]:
    """Which runs of code workflows belong to this one, oldest first?"""
    where = (run.c.tenant_id == tx.tenant, run.c.parent_run_id == run_id, run.c.kind == RunKind.CODE)
    oldest = select(run).where(*where).order_by(run.c.created_at, run.c.id).limit(MOST_CHILDREN)
    return tx.rows(oldest, of=RunRow)


def updated(tx: Tx, run_ids: Sequence[str]) -> dict[str, int]:
    """When did something last happen to these runs?"""
    last = and_(
        event.c.tenant_id == run.c.tenant_id, event.c.run_id == run.c.id, event.c.seq == run.c.event_seq
    )
    found = select(run.c.id, event.c.at).join(event, last)
    rows = tx.rows(found.where(run.c.tenant_id == tx.tenant, run.c.id.in_(run_ids))) if run_ids else []
    return {row["id"]: row["at"] for row in rows}


def waits(tx: Tx, run_id: str) -> frozenset[str]:
    """Which calls of a run wait for something, rather than do something?"""
    where = (step.c.tenant_id == tx.tenant, step.c.run_id == run_id, step.c.kind.in_(WAITS))
    return frozenset(row["key"] for row in tx.rows(select(step.c.key).where(*where)))


def diverged(tx: Tx, name: str, version: str) -> list[str]:
    """Which runs of a workflow are blocked because its function went another way than before?"""
    where = (run.c.tenant_id == tx.tenant, run.c.type == name, run.c.version == version)
    blocked = (run.c.completed_at.is_(None), run.c.status == "blocked", run.c.error_code == "NONDETERMINISM")
    return [row["id"] for row in tx.rows(select(run.c.id).where(*where, *blocked).order_by(run.c.created_at))]
