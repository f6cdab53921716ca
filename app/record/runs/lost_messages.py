"""What may be lost: the messages that are expected and the leases that are held, over all runs."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, and_, cast, func, or_, select, text

from app.record.fast_path.transition import since_of
from app.record.runs import leases
from app.record.session import Tx
from app.record.tables import OPEN, lease, run, step

_RUNS = (
    select(run.c.id.label("run_id"), run.c.expect_since.label("since"))
    .where(run.c.expect_from.is_not(None), run.c.expect_since.is_not(None))
    .order_by(run.c.expect_from)
)
_CLAIM = (step.c.run_id, step.c.phase, step.c.key, step.c.fence, step.c.holder)
WORKING = ("running", "cancelling", "compensating")  # Runs whose steps are taken over at once.
_STEPS = (
    select(step.c.run_id, step.c.phase, step.c.key, step.c.expect_since.label("since"))
    .where(step.c.expect_since.is_not(None))
    .order_by(step.c.expect_since)
)


def expected(tx: Tx, *, lost_ms: int, cap_ms: int, empty: Sequence[str], limit: int) -> list[dict[str, Any]]:
    """Runs and branch steps whose message is lost, oldest first.

    A message is lost when it has been expected for ``lost_ms`` and its queue is among the ``empty`` ones, or
    for ``cap_ms`` in any case; each further publication for the same run or member waits longer.
    """
    # Milliseconds since 1970 do not fit the type that PostgreSQL would give a number beside these columns.
    attempts, gen = cast(run.c.dispatch_attempts, BigInteger), cast(step.c.gen, BigInteger)
    of_run, of_step = run.c.expect_from, step.c.expect_since
    # Longer after each publication: a run that nobody can claim just now must not fill the queues. A member
    # has no counter for it; its generation grows with each publication.
    gone = and_(of_run + lost_ms * (1 + attempts) < tx.now, run.c.expect_queue.in_(empty))
    gone_step = and_(of_step + lost_ms * gen < tx.now, step.c.queue.in_(empty))
    late = of_run + cap_ms * (1 + attempts * attempts) < tx.now
    return _expected(tx, or_(gone, late), or_(gone_step, of_step < tx.now - cap_ms), limit)


def expected_since_before(tx: Tx, moment: int, limit: int) -> list[dict[str, Any]]:
    """Runs and branch steps for which a message has been expected since before a moment."""
    return _expected(tx, run.c.expect_from < moment, step.c.expect_since < moment, limit)


def queues_in_use(tx: Tx) -> list[str]:
    """The queues on which a message is expected: few, however many messages."""
    found = {name for each in (run.c.expect_queue, step.c.queue) for name in _each_once(tx, each)}
    return sorted(found)


def _each_once(tx: Tx, queue: ColumnElement[Any]) -> list[str]:
    """The values of an indexed column, each looked up as the least one after the one before."""
    table = queue.table
    is_due = (table.c[since_of(table)].is_not(None), table.c.expect_since.is_not(None))
    least = select(func.min(queue).label("queue")).where(table.c.tenant_id == tx.tenant, *is_due)
    names = least.cte(recursive=True)
    following = least.where(queue > names.c.queue).correlate(names).scalar_subquery()
    names = names.union_all(select(following).where(names.c.queue.is_not(None)))
    return [row["queue"] for row in tx.rows(select(names.c.queue)) if row["queue"]]


def expired_leases(tx: Tx, limit: int) -> list[dict[str, Any]]:
    """Running steps whose worker has been silent for longer than the lease."""
    return tx.rows(_held(tx, step.c.lease_until < tx.now, lease.c.until < tx.now).limit(limit))


def strays(tx: Tx, limit: int) -> list[dict[str, Any]]:
    """The same of steps without a row of `lease`: workers of an earlier release, which write none."""
    # The words of the index of open runs, which SQLite uses only where they are said.
    at_work = select(run.c.id).where(run.c.tenant_id == tx.tenant, text(OPEN), run.c.status.in_(WORKING))
    mine = (step.c.tenant_id == tx.tenant, step.c.run_id.in_(at_work), step.c.status == "running")
    return tx.rows(select(*_CLAIM).where(*mine, step.c.lease_until < tx.now, ~leases.is_noted()).limit(limit))


def held_by_task(tx: Tx, task_id: str) -> list[dict[str, Any]]:
    """Running steps that were claimed by this Celery task."""
    return tx.rows(_held(tx, step.c.task_id == task_id))


def held_by(tx: Tx, holders: Collection[str]) -> list[dict[str, Any]]:
    """Running steps that these hold."""
    return tx.rows(_held(tx, step.c.holder.in_(holders), lease.c.holder.in_(holders)))


def oldest_expected(tx: Tx) -> int | None:
    """When the oldest outstanding expectation was written."""
    oldest: int | None = tx.value(
        select(func.min(run.c.expect_from)).where(
            run.c.tenant_id == tx.tenant, run.c.expect_from.is_not(None), run.c.expect_since.is_not(None)
        )
    )
    return oldest


def _expected(
    tx: Tx, of_run: ColumnElement[bool], of_step: ColumnElement[bool], limit: int
) -> list[dict[str, Any]]:
    """The runs and the branch steps that are expected and fit, each oldest first."""
    runs_ = _RUNS.where(run.c.tenant_id == tx.tenant, of_run).limit(limit)
    steps_ = _STEPS.where(step.c.tenant_id == tx.tenant, of_step).limit(limit)
    return tx.rows(runs_) + tx.rows(steps_)


def _held(tx: Tx, which: ColumnElement[bool], *of_lease: ColumnElement[bool]) -> Select[Any]:
    """The running steps that fit, of runs with such leases, and who holds them under which fence."""
    # The rows of `lease` only find the runs. Whether a step is held, and until when, the step itself says:
    # heartbeats extend its lease there and write nothing here.
    runs_ = select(lease.c.run_id).where(lease.c.tenant_id == tx.tenant, *of_lease)
    mine = (step.c.tenant_id == tx.tenant, step.c.run_id.in_(runs_), step.c.status == "running")
    return select(*_CLAIM).where(*mine, which)
