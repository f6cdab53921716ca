"""What may be lost: the messages that are expected and the leases that are held, over all runs."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, and_, cast, func, or_, select

from app.record.session import Tx
from app.record.tables import run, step


def expected(tx: Tx, *, lost_ms: int, cap_ms: int, empty: Sequence[str], limit: int) -> list[dict[str, Any]]:
    """Runs and branch steps whose message is lost, oldest first.

    A message is lost when it has been expected for ``lost_ms`` and its queue is among the ``empty`` ones, or
    for ``cap_ms`` in any case; each further ring for the same run or member waits longer.
    """
    # Milliseconds since 1970 do not fit the type that PostgreSQL would give a number beside these columns.
    patience = cap_ms * (1 + cast(run.c.dispatch_attempts, BigInteger) * run.c.dispatch_attempts)
    again = lost_ms * (1 + cast(run.c.dispatch_attempts, BigInteger))
    gone = and_(run.c.expect_since + again < tx.now, run.c.expect_queue.in_(empty))
    runs_ = (
        select(run.c.id.label("run_id"), run.c.expect_since.label("since"))
        .where(run.c.tenant_id == tx.tenant, run.c.expect_since.is_not(None))
        .where(or_(gone, run.c.expect_since + patience < tx.now))
        .order_by(run.c.expect_since)
        .limit(limit)
    )
    again_step = lost_ms * cast(step.c.gen, BigInteger)
    gone_step = and_(step.c.expect_since + again_step < tx.now, step.c.queue.in_(empty))
    steps_ = (
        select(step.c.run_id, step.c.phase, step.c.key, step.c.expect_since.label("since"))
        .where(step.c.tenant_id == tx.tenant, step.c.expect_since.is_not(None))
        .where(or_(gone_step, step.c.expect_since < tx.now - cap_ms))
        .order_by(step.c.expect_since)
        .limit(limit)
    )
    return tx.rows(runs_) + tx.rows(steps_)


def expected_since_before(tx: Tx, moment: int, limit: int) -> list[dict[str, Any]]:
    """Runs and branch steps for which a message has been expected since before a moment."""
    runs_ = select(run.c.id.label("run_id"), run.c.expect_since.label("since")).where(
        run.c.tenant_id == tx.tenant, run.c.expect_since < moment
    )
    steps_ = select(step.c.run_id, step.c.phase, step.c.key, step.c.expect_since.label("since")).where(
        step.c.tenant_id == tx.tenant, step.c.expect_since < moment
    )
    ordered = (
        runs_.order_by(run.c.expect_since).limit(limit),
        steps_.order_by(step.c.expect_since).limit(limit),
    )
    return tx.rows(ordered[0]) + tx.rows(ordered[1])


def queues_in_use(tx: Tx) -> list[str]:
    """The queues on which a message is expected."""
    runs_ = select(run.c.expect_queue.label("queue")).where(
        run.c.tenant_id == tx.tenant, run.c.expect_since.is_not(None)
    )
    steps_ = select(step.c.queue).where(step.c.tenant_id == tx.tenant, step.c.expect_since.is_not(None))
    return [row["queue"] for row in tx.rows(runs_.union(steps_)) if row["queue"]]


def expired_leases(tx: Tx, limit: int) -> list[dict[str, Any]]:
    """Running steps whose worker has been silent for longer than the lease."""
    where = (step.c.tenant_id == tx.tenant, step.c.status == "running", step.c.lease_until < tx.now)
    return tx.rows(select(step.c.run_id, step.c.phase, step.c.key, step.c.fence).where(*where).limit(limit))


def held_by_task(tx: Tx, task_id: str) -> list[dict[str, Any]]:
    """Running steps that were claimed by this Celery task."""
    where = (step.c.tenant_id == tx.tenant, step.c.status == "running", step.c.task_id == task_id)
    return tx.rows(select(step.c.run_id, step.c.phase, step.c.key, step.c.fence).where(*where))


def held_at(tx: Tx, place: str) -> list[dict[str, Any]]:
    """Running steps that are held by worker processes of this place."""
    where = (
        step.c.tenant_id == tx.tenant,
        step.c.status == "running",
        step.c.holder.startswith(f"{place}:", autoescape=True),
    )
    columns = (step.c.run_id, step.c.phase, step.c.key, step.c.fence, step.c.holder)
    return tx.rows(select(*columns).where(*where))


def oldest_expected(tx: Tx) -> int | None:
    """When the oldest outstanding expectation was written."""
    oldest: int | None = tx.value(
        select(func.min(run.c.expect_since)).where(
            run.c.tenant_id == tx.tenant, run.c.expect_since.is_not(None)
        )
    )
    return oldest
