"""The checks of the doctor for batches: invariants of graphs and of effects, as SQL queries."""

from typing import Any

from sqlalchemy import Select, and_, func, select

from app.record.session import Tx
from app.record.tables import allocation, batch, edge, instance, run, step

Finding = dict[str, Any]
LIMIT = 1_000  # Findings of each kind.
LOOK = "stop changing this batch, keep its rows, and report it with the output of: windlass run events"
UNDO = "look at the server; windlass batch rollback removes what the batch still owns"


def findings(tx: Tx) -> list[Finding]:
    """The violations, in the form of `app.record.runs.doctor.findings`."""
    return [
        *(_finding("I22", one, _over_limit_text(one), LOOK) for one in tx.rows(_over_limit(tx))),
        *(_finding("I23", one, _too_early_text(one), LOOK) for one in tx.rows(_too_early(tx))),
        *(_finding("I24", one, _not_undone_text(one), UNDO) for one in tx.rows(_not_undone(tx))),
        *(_finding("I25", one, _unowned_text(one), LOOK) for one in tx.rows(_unowned(tx))),
    ]


def _over_limit(tx: Tx) -> Select[Any]:
    """Batches with more operations in progress than their limit allows."""
    own = and_(step.c.tenant_id == batch.c.tenant_id, step.c.run_id == batch.c.run_id)
    working = and_(own, step.c.phase == "forward", step.c.kind == "child", step.c.status == "waiting")
    number = func.count().label("number")
    return (
        select(batch.c.run_id, batch.c.parallel_limit, number)
        .join(run, and_(run.c.tenant_id == batch.c.tenant_id, run.c.id == batch.c.run_id))
        .join(step, working)
        .where(batch.c.tenant_id == tx.tenant, run.c.completed_at.is_(None))
        .group_by(batch.c.run_id, batch.c.parallel_limit)
        .having(number > batch.c.parallel_limit)
        .limit(LIMIT)
    )


def _too_early(tx: Tx) -> Select[Any]:
    """Operations that have begun although an operation that they need has not completed."""
    needed, begun = step.alias("needed"), step.alias("begun")
    return (
        select(edge.c.run_id, edge.c.key, edge.c.needs, needed.c.status)
        .join(batch, and_(batch.c.tenant_id == edge.c.tenant_id, batch.c.run_id == edge.c.run_id))
        .join(begun, _member(begun, edge.c.key))
        .join(needed, _member(needed, edge.c.needs))
        .where(
            edge.c.tenant_id == tx.tenant,
            edge.c.condition == "success",
            begun.c.attempt > 0,
            needed.c.status.not_in(("completed", "skipped")),  # Skipped: kept from an earlier batch.
        )
        .limit(LIMIT)
    )


def _member(one: Any, key: Any) -> Any:
    same = and_(one.c.tenant_id == edge.c.tenant_id, one.c.run_id == edge.c.run_id, one.c.key == key)
    return and_(same, one.c.phase == "forward", one.c.kind == "child")


def _not_undone(tx: Tx) -> Select[Any]:
    """Servers that existed when a rollback began, and still exist although it is recorded as complete."""
    owner = and_(batch.c.tenant_id == instance.c.tenant_id, batch.c.lineage == instance.c.lineage)
    undoing = and_(run.c.tenant_id == batch.c.tenant_id, run.c.id == batch.c.rollback_run)
    return (
        select(batch.c.run_id, instance.c.name, instance.c.provider, instance.c.state)
        .join_from(instance, batch, owner)
        .join(run, undoing)
        .where(
            instance.c.tenant_id == tx.tenant,
            instance.c.state != "gone",
            batch.c.undone == "all",
            instance.c.created_at < run.c.created_at,
        )
        .limit(LIMIT)
    )


def _unowned(tx: Tx) -> Select[Any]:
    """Servers of pools that are reserved for a server of a batch which does not exist any more."""
    owner = and_(instance.c.tenant_id == allocation.c.tenant_id, instance.c.id == allocation.c.owner_id)
    return (
        select(instance.c.run_id, instance.c.name, allocation.c.server_id)
        .join_from(allocation, instance, owner)
        .where(
            allocation.c.tenant_id == tx.tenant,
            allocation.c.released_at.is_(None),
            instance.c.state == "gone",
        )
        .limit(LIMIT)
    )


def _unowned_text(one: Any) -> str:
    return f"the server {one['server_id']} is still kept for {one['name']}, which is gone"


def _over_limit_text(one: Any) -> str:
    return f"{one['number']} operations are at work, and at most {one['parallel_limit']} may be"


def _too_early_text(one: Any) -> str:
    return f"{one['key']} has begun, and {one['needs']}, which it needs, is {one['status']}"


def _not_undone_text(one: Any) -> str:
    return f"the batch is rolled back, and its server {one['name']} at {one['provider']} is {one['state']}"


def _finding(number: str, one: Any, what: str, todo: str) -> Finding:
    return {"invariant": number, "run": one["run_id"], "what": what, "todo": todo}
