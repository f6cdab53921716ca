"""Aggregates of a period: runs by outcome, durations, error codes (contracts/runs.rst#metrics)."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, BigInteger, ColumnElement, and_, case, func, literal, select, text

from app.domain.errors import WindlassError
from app.domain.events import QUIET
from app.record.paging import plan_anew
from app.record.session import Tx
from app.record.tables import OPEN, delivery, lease, lock, run, step, totals

HISTORY = 20  # Completed runs whose steps say how long a step usually takes.
MOST_REASONS = 20  # Steps or resources that reasons are told of.
MOST_OPEN = 10_000_000

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Period:
    """Runs that ended from one time on and before another, of one type or of all."""

    since: int
    until: int
    type: str | None = None

    def where(self, tx: Tx) -> list[ColumnElement[bool]]:
        """The period as conditions on `run`, in the order of its index."""
        ended = [
            run.c.tenant_id == tx.tenant,
            run.c.completed_at >= self.since,
            run.c.completed_at < self.until,
        ]
        if self.type is None:
            return [*ended, ~run.c.type.startswith(QUIET, autoescape=True)]
        return [*ended, run.c.type == self.type]


def endings(tx: Tx, period: Period) -> list[Row]:
    """How did runs end? Rows of type, status, code (of failures), runs and took.

    ``took`` lists how long each completed run took, in milliseconds and in no order: one walk along one index
    brings everything, and plain Python ranks numbers faster than a database.
    """
    plan_anew(tx)
    code = case((run.c.status == "failed", func.coalesce(run.c.error_code, WindlassError.code)))
    list_ = func.json_agg if tx.dialect == "postgresql" else func.json_group_array
    ran = and_(run.c.status == "completed", run.c.started_at.is_not(None))
    took = list_(run.c.completed_at - run.c.started_at - run.c.held_ms, type_=JSON).filter(ran)
    columns = (run.c.type, run.c.status, code.label("code"))
    query = select(*columns, func.count().label("runs"), took.label("took"))
    return tx.rows(query.where(*period.where(tx)).group_by(*columns))


def endings_by_time(tx: Tx, period: Period, interval_ms: int) -> list[Row]:
    """How did runs end in each part of the period? Rows of part (from 0), status, runs and took."""
    plan_anew(tx)
    list_ = func.json_agg if tx.dialect == "postgresql" else func.json_group_array
    part = ((run.c.completed_at - period.since) // literal(interval_ms, BigInteger)).label("part")
    ran = and_(run.c.status == "completed", run.c.started_at.is_not(None))
    took = list_(run.c.completed_at - run.c.started_at - run.c.held_ms, type_=JSON).filter(ran)
    query = select(part, run.c.status, func.count().label("runs"), took.label("took"))
    return tx.rows(query.where(*period.where(tx)).group_by(text("1"), run.c.status))


def failures(tx: Tx, period: Period, by: str) -> list[Row]:
    """Why did runs fail, by ``error_step`` or ``resource_id``? Rows of it, code and runs, the most first."""
    plan_anew(tx)
    about, code = run.c[by], func.coalesce(run.c.error_code, WindlassError.code).label("code")
    runs = func.count().label("runs")
    failed = (run.c.status == "failed", about.is_not(None))
    query = select(about.label("about"), code, runs).where(*period.where(tx), *failed)
    return tx.rows(query.group_by(about, code).order_by(runs.desc(), about, code).limit(MOST_REASONS))


def step_times(tx: Tx, type_: str) -> dict[str, list[int]]:
    """How long did each step of a type take in the last completed runs? Milliseconds, ascending, by key."""
    done = (run.c.tenant_id == tx.tenant, run.c.type == type_, run.c.status == "completed")
    recent = select(run.c.id).where(*done).order_by(run.c.created_at.desc(), run.c.id.desc()).limit(HISTORY)
    ids = [row["id"] for row in tx.rows(recent)]
    if not ids:
        return {}
    took = (step.c.completed_at - step.c.first_started_at).label("ms")
    which = (step.c.tenant_id == tx.tenant, step.c.run_id.in_(ids), step.c.phase == "forward")
    main = (step.c.branch == "", step.c.status == "completed", took.is_not(None))
    found: dict[str, list[int]] = {}
    for row in tx.rows(select(step.c.key, took).where(*which, *main).order_by(took)):
        found.setdefault(row["key"], []).append(int(row["ms"]))
    return found


def usual_step_ms(tx: Tx, type_: str, before: int) -> dict[str, tuple[float, int]]:
    """How long did each step of a type take? Mean milliseconds over the last completed runs, and of how many.

    Only of runs that were accepted earlier: what a run is measured by does not change while it is under way.
    """
    completed = (run.c.type == type_, run.c.status == "completed", run.c.created_at < before)
    done = (run.c.tenant_id == tx.tenant, *completed)
    recent = select(run.c.id).where(*done).order_by(run.c.created_at.desc(), run.c.id.desc()).limit(HISTORY)
    ids = [row["id"] for row in tx.rows(recent)]
    if not ids:
        return {}
    mean = func.avg(step.c.completed_at - step.c.first_started_at).label("ms")
    where = and_(
        step.c.tenant_id == tx.tenant,
        step.c.run_id.in_(ids),
        step.c.phase == "forward",
        step.c.status == "completed",
    )
    rows = tx.rows(select(step.c.key, mean, func.count().label("n")).where(where).group_by(step.c.key))
    return {row["key"]: (float(row["ms"]), int(row["n"])) for row in rows if row["ms"] is not None}


def ended_totals(tx: Tx) -> list[Row]:
    """How many runs ended since the beginning, by type and status, and how long did they take in all?"""
    sums = (func.sum(totals.c[name]).label(name) for name in ("runs", "duration_ms"))
    query = select(totals.c.type, totals.c.status, *sums).where(totals.c.tenant_id == tx.tenant)
    return tx.rows(query.group_by(totals.c.type, totals.c.status).order_by(totals.c.type, totals.c.status))


def open_runs(tx: Tx) -> list[Row]:
    """How many runs of each type are in which state now? Rows of type, status, runs.

    Listed first, counted then: for a GROUP BY alone SQLite would walk an index over all runs.
    """
    open_ = select(run.c.type, run.c.status).where(run.c.tenant_id == tx.tenant, text(OPEN))
    listed = open_.order_by(run.c.stage, run.c.created_at).limit(MOST_OPEN).subquery()
    kinds = (listed.c.type, listed.c.status)
    return tx.rows(select(*kinds, func.count().label("runs")).group_by(*kinds).order_by(*kinds))


def running_steps(tx: Tx) -> list[Row]:
    """How many steps run in each queue now?"""
    query = select(step.c.queue, func.count().label("steps"))
    held = select(lease.c.run_id).where(lease.c.tenant_id == tx.tenant)
    query = query.where(step.c.tenant_id == tx.tenant, step.c.run_id.in_(held), step.c.status == "running")
    return tx.rows(query.group_by(step.c.queue).order_by(step.c.queue))


def locks_held(tx: Tx) -> tuple[int, int | None]:
    """How many resources are locked, and since when is the oldest?"""
    query = select(func.count().label("held"), func.min(lock.c.granted_at).label("oldest"))
    row = tx.row(query.where(lock.c.tenant_id == tx.tenant)) or {}
    return int(row["held"]), row["oldest"]


def deliveries(tx: Tx) -> list[Row]:
    """How many webhook deliveries are in which state?"""
    query = select(delivery.c.status, func.count().label("deliveries")).where(
        delivery.c.tenant_id == tx.tenant
    )
    return tx.rows(query.group_by(delivery.c.status).order_by(delivery.c.status))
