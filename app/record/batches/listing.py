"""Reads for the API: batches with the states of their runs, their operations and items, and totals."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, select

from app.domain.states import TERMINAL, RunStatus
from app.record.session import Tx
from app.record.tables import batch, batch_total, run, step
from app.record.tables import totals as ended_runs

Row = dict[str, Any]
PARTIAL = "PARTIALLY_COMPLETED"
MOST_IDS = 1_000
# The steps of an operation's run that are items; the others are the fan-out and the step that evaluates it.
ITEMS = ("instance.create", "instance.remove", "taskserv.install", "taskserv.remove")
_undo = run.alias("undo")
_ended = [str(one) for one in sorted(TERMINAL)]
_unwinds = [str(RunStatus.COMPENSATING), str(RunStatus.COMPENSATION_FAILED)]
_waits = [str(RunStatus.QUEUED), str(RunStatus.LOCK_WAITING)]
# The public status of a batch: that of its run, unless a rollback says more.
STATUS: ColumnElement[str] = case(
    (and_(_undo.c.id.is_not(None), _undo.c.completed_at.is_(None)), "RollingBack"),
    (run.c.status.in_(_unwinds), "RollingBack"),
    (run.c.status.in_(_waits), "Pending"),
    (run.c.completed_at.is_(None), "Running"),
    (batch.c.undone == "all", "RolledBack"),
    (batch.c.undone == "failed", "RollbackFailed"),
    (batch.c.undone == "part", "PartiallyCompleted"),
    (run.c.status == str(RunStatus.COMPLETED), "Completed"),
    (run.c.status == str(RunStatus.CANCELLED), "Cancelled"),
    (run.c.error_code == PARTIAL, "PartiallyCompleted"),
    else_="Failed",
).label("shown_status")
_SHOWN_AS = case((step.c.reused_from.is_not(None), "completed"), else_=step.c.status).label("status")
_OF_RUN = (
    *(run.c.status, run.c.started_at, run.c.completed_at, run.c.error_code, run.c.error_message),
    *(run.c.error_step, run.c.waiting_on, run.c.event_seq, run.c.cancel_requested_at, run.c.eta_ms),
)
_BRIEF = (
    *(batch.c.run_id, batch.c.name, batch.c.version, batch.c.storage_backend, batch.c.parallel_limit),
    *(batch.c.rollback_enabled, batch.c.operations, batch.c["items"], batch.c.retry_of, batch.c.lineage),
    *(batch.c.rollback_run, batch.c.undone, batch.c.actor, batch.c.created_at),
)


def shown(tx: Tx, run_id: str) -> Row | None:
    """A batch with its definition and the state of its run."""
    return tx.row(_joined(tx, *batch.columns).where(batch.c.run_id == run_id))


def brief(tx: Tx, run_id: str) -> Row | None:
    """The same without its definition."""
    return tx.row(_joined(tx, *_BRIEF).where(batch.c.run_id == run_id))


def page(tx: Tx, *, status: str | None, name: str | None, limit: int, offset: int) -> tuple[list[Row], int]:
    """Batches, newest first, and how many there are."""
    found = _joined(tx, *_BRIEF)
    if status is not None:
        found = found.where(func.lower(STATUS) == status.lower())
    if name is not None:
        found = found.where(batch.c.name == name)
    total: int = tx.value(select(func.count()).select_from(found.subquery()))
    newest = (batch.c.created_at.desc(), batch.c.run_id.desc())
    return tx.rows(found.order_by(*newest).limit(limit).offset(offset)), total


def counts_of(tx: Tx, run_ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """Counts of the members of these graphs by status; those reused from a retried batch are completed."""
    where = (step.c.tenant_id == tx.tenant, step.c.run_id.in_(run_ids), step.c.kind == "child")
    found = select(step.c.run_id, _SHOWN_AS, func.count().label("number")).where(*where)
    counts: dict[str, dict[str, int]] = {one: {} for one in run_ids}
    for row in tx.rows(found.group_by(step.c.run_id, _SHOWN_AS)):
        counts[row["run_id"]][row["status"]] = row["number"]
    return counts


def standing(tx: Tx, run_id: str, keys: Sequence[str] | None = None) -> dict[str, list[str]]:
    """The keys of a graph's members by status: of all members, or of ``keys``, at most 1,000."""
    # One text for each status: a row for each of 10,000 members would take longer than all the rest.
    names = func.aggregate_strings(step.c.key, " ").label("keys")
    where = [step.c.tenant_id == tx.tenant, step.c.run_id == run_id, step.c.kind == "child"]
    if keys is not None:
        where += [step.c.phase == "forward", step.c.key.in_(keys)]  # By the primary key.
    found = tx.rows(select(_SHOWN_AS, names).where(*where).group_by(_SHOWN_AS))
    return {row["status"]: row["keys"].split(" ") for row in found}


def items_of(tx: Tx, run_ids: Sequence[str], most: int) -> dict[str, list[Row]]:
    """The items of these operations' runs, in their order, at most ``most`` in all."""
    columns = (
        *(step.c.run_id, step.c.status, step.c.attempt, step.c.given, step.c.output, step.c.error),
        *(step.c.progress, step.c.retry_at, step.c.first_started_at, step.c.completed_at),
    )
    found: dict[str, list[Row]] = {}
    left = most
    for at in range(0, len(run_ids), MOST_IDS):
        where = (step.c.tenant_id == tx.tenant, step.c.run_id.in_(run_ids[at : at + MOST_IDS]))
        inside = (step.c.phase == "forward", step.c.name.in_(ITEMS))
        rows = select(*columns).where(*where, *inside).order_by(step.c.run_id, step.c.ordinal)
        for row in tx.rows(rows.limit(max(0, left))):
            found.setdefault(row["run_id"], []).append(row)
            left -= 1
    return found


def item_page(tx: Tx, run_id: str, limit: int, offset: int) -> tuple[list[Row], int]:
    """A page of the items of an operation's run, and how many there are."""
    where = (step.c.tenant_id == tx.tenant, step.c.run_id == run_id, step.c.phase == "forward")
    found = select(step).where(*where, step.c.name.in_(ITEMS))
    total: int = tx.value(select(func.count()).select_from(found.subquery()))
    return tx.rows(found.order_by(step.c.ordinal).limit(limit).offset(offset)), total


def retrying(tx: Tx, run_ids: Sequence[str]) -> set[str]:
    """Which of these runs have a step that waits for another attempt."""
    found: set[str] = set()
    for at in range(0, len(run_ids), MOST_IDS):
        where = (step.c.tenant_id == tx.tenant, step.c.run_id.in_(run_ids[at : at + MOST_IDS]))
        rows = tx.rows(select(step.c.run_id).where(*where, step.c.status == "retry_wait").distinct())
        found.update(row["run_id"] for row in rows)
    return found


def rollbacks(tx: Tx, batch_id: str) -> list[Row]:
    """The rollbacks of a batch, newest first."""
    where = (run.c.tenant_id == tx.tenant, run.c.resource_id == batch_id, run.c.type == "batch.rollback")
    columns = (
        *(run.c.id, run.c.status, run.c.created_at, run.c.started_at, run.c.completed_at),
        run.c.error_message,
    )
    return tx.rows(select(*columns).where(*where).order_by(run.c.created_at.desc(), run.c.id.desc()))


def by_status(tx: Tx) -> dict[str, int]:
    """Counts of batches by status."""
    found = _joined(tx, batch.c.run_id).subquery()
    counted = select(found.c.shown_status, func.count().label("number")).group_by(found.c.shown_status)
    return {row["shown_status"]: row["number"] for row in tx.rows(counted)}


def totals(tx: Tx) -> list[Row]:
    """Counts of ended operations by provider, type and status, those of deleted batches included."""
    columns = (batch_total.c.provider, batch_total.c.type, batch_total.c.status)
    sums = (
        func.sum(batch_total.c.operations).label("operations"),
        func.sum(batch_total.c.duration_ms).label("duration_ms"),
    )
    where = batch_total.c.tenant_id == tx.tenant
    return [
        {**row, "operations": int(row["operations"]), "duration_ms": int(row["duration_ms"])}
        for row in tx.rows(select(*columns, *sums).where(where).group_by(*columns))
    ]


def durations(tx: Tx) -> tuple[int, int]:
    """How many batches have ended, and the sum of their durations in milliseconds."""
    return _of_type(tx, "batch.workflow")[1]


def rollback_totals(tx: Tx) -> dict[str, int]:
    """Counts of ended rollbacks by status."""
    return _of_type(tx, "batch.rollback")[0]


def _of_type(tx: Tx, type_: str) -> tuple[dict[str, int], tuple[int, int]]:
    sums = (func.sum(ended_runs.c.runs).label("runs"), func.sum(ended_runs.c.duration_ms).label("ms"))
    where = (ended_runs.c.tenant_id == tx.tenant, ended_runs.c.type == type_)
    rows = tx.rows(select(ended_runs.c.status, *sums).where(*where).group_by(ended_runs.c.status))
    counts = {row["status"]: int(row["runs"]) for row in rows}
    return counts, (sum(counts.values()), sum(int(row["ms"]) for row in rows))


def _joined(tx: Tx, *columns: Any) -> Select[Any]:
    same = and_(run.c.tenant_id == batch.c.tenant_id, run.c.id == batch.c.run_id)
    undoes = and_(_undo.c.tenant_id == batch.c.tenant_id, _undo.c.id == batch.c.rollback_run)
    found = select(*columns, *_OF_RUN, STATUS).join(run, same).outerjoin(_undo, undoes)
    return found.where(batch.c.tenant_id == tx.tenant)
