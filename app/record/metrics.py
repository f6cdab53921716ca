"""Aggregates for readers: what ended in a period, how long it took, why it failed (contract 1, A.7)."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, cast, func, literal, select, text

from app.domain.errors import WindlassError
from app.record.session import Tx
from app.record.tables import OPEN, delivery, lock, run, step, totals

PERCENTS = (50, 90, 99)
HISTORY = 20  # Completed runs whose steps say how long a step usually takes.

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
        return ended + ([run.c.type == self.type] if self.type is not None else [])


def endings(tx: Tx, period: Period) -> list[Row]:
    """How many runs of each type ended how? Rows of type, status, runs."""
    query = select(run.c.type, run.c.status, func.count().label("runs")).where(*period.where(tx))
    return tx.rows(query.group_by(run.c.type, run.c.status))


def durations(tx: Tx, period: Period, *, by_type: bool) -> dict[str | None, dict[str, int]]:
    """How long did completed runs take? Milliseconds by nearest rank, and the mean, by type or under None."""
    took = (run.c.completed_at - run.c.started_at).label("ms")
    label = run.c.type if by_type else cast(literal(None), run.c.type.type)
    ended = (
        select(label.label("type"), took)
        .where(*period.where(tx), run.c.status == "completed", run.c.started_at.is_not(None))
        .subquery()
    )
    over: dict[str, Any] = {"partition_by": ended.c.type}
    ranked = select(
        ended.c.type,
        ended.c.ms,
        func.row_number().over(order_by=ended.c.ms, **over).label("place"),
        func.count().over(**over).label("n"),
        func.avg(ended.c.ms).over(**over).label("mean"),
    ).subquery()
    ranks = [(ranked.c.n * percent + 99) // 100 for percent in PERCENTS]
    found: dict[str | None, dict[str, int]] = {}
    for row in tx.rows(select(ranked).where(ranked.c.place.in_(ranks))):
        timing = found.setdefault(row["type"], {"avgMs": round(float(row["mean"]))})
        for percent in PERCENTS:
            if row["place"] == (row["n"] * percent + 99) // 100:
                timing[f"p{percent}Ms"] = int(row["ms"])
    return found


def failures(tx: Tx, period: Period) -> list[Row]:
    """Why did runs fail? Rows of code and count, most frequent first."""
    code = func.coalesce(run.c.error_code, WindlassError.code).label("code")
    query = select(code, func.count().label("count")).where(*period.where(tx), run.c.status == "failed")
    return tx.rows(query.group_by(code).order_by(func.count().desc(), code))


def usual_step_ms(tx: Tx, type_: str) -> dict[str, float]:
    """How long does each step of a type usually take? Mean milliseconds over the last completed runs."""
    done = (run.c.tenant_id == tx.tenant, run.c.type == type_, run.c.status == "completed")
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
    rows = tx.rows(select(step.c.key, mean).where(where).group_by(step.c.key))
    return {row["key"]: float(row["ms"]) for row in rows if row["ms"] is not None}


def ended_totals(tx: Tx) -> list[Row]:
    """How many runs ended since the beginning, by type and status, and how long did they take in all?"""
    sums = (func.sum(totals.c[name]).label(name) for name in ("runs", "duration_ms"))
    query = select(totals.c.type, totals.c.status, *sums).where(totals.c.tenant_id == tx.tenant)
    return tx.rows(query.group_by(totals.c.type, totals.c.status).order_by(totals.c.type, totals.c.status))


def open_runs(tx: Tx) -> list[Row]:
    """How many runs of each type are in which state now? Rows of type, status, runs.

    Counted here: for a GROUP BY SQLite would walk an index over all runs instead of the small one over these.
    """
    query = select(run.c.type, run.c.status).where(run.c.tenant_id == tx.tenant, text(OPEN))
    counts = Counter((row["type"], row["status"]) for row in tx.rows(query.order_by(run.c.created_at)))
    return [
        {"type": type_, "status": status, "runs": runs} for (type_, status), runs in sorted(counts.items())
    ]


def running_steps(tx: Tx) -> list[Row]:
    """How many steps run in each queue now?"""
    query = select(step.c.queue, func.count().label("steps"))
    query = query.where(step.c.tenant_id == tx.tenant, step.c.status == "running")
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
