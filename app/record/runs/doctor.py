"""The doctor: looks at the rows of runs and says which invariants do not hold, and what to do about it.

It reads, and changes nothing. Open runs come first, then those that ended last, up to a limit of both, so
that it may be asked at any time. What it checks is `app.domain.invariants`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Select, and_, exists, or_, select
from sqlalchemy.sql.schema import Table

from app.domain.case import Case
from app.domain.events import QUIET, TOLD
from app.domain.invariants import LATE_MS, broken
from app.record.inventory import in_transit
from app.record.runs import leases, rewritten
from app.record.runs.event_rows import unpacked
from app.record.session import Tx
from app.record.tables import (
    delivery,
    event,
    hook,
    lock,
    lock_fence,
    lock_waiter,
    run,
    signal,
    step,
    subscription,
    timer,
    webhook,
)

Row = dict[str, Any]
Finding = dict[str, Any]
LIMIT = 1_000  # Open runs and ended runs, each.
BATCH = 50
LOOK = "stop changing this run, keep its rows, and report it with the output of: windlass run events"
UNSEEN = "a message is expected and it is not among the runs that are due"
RECONCILE = "see that a reconciler runs: `reconciler` of GET /readyz says whether one has been heard of"
TODO = {
    "I7": "windlass run get tells what it waits for; a reconciler that runs repairs most of these",
    "I8": "release the lock as an operator once the run that holds it is known to be over",
    "I11": RECONCILE,
    "I12": "send the delivery again: windlass webhook redeliver",
    "I13": "raise the step's retry limit, or find out what kills its workers",
    "I17": rewritten.TODO,
    "I18": "retry the run that left it so: windlass run retry RUN; when that has gone, report it",
}


def findings(
    tx: Tx, *, limit: int = LIMIT, poison_limit: int = 3, budgets: Mapping[str, int] | None = None
) -> list[Finding]:
    """What is wrong: ``{"invariant", "run", "what", "todo"}`` each; an empty list is a clean bill of health.

    ``budgets`` gives the attempts that a step may have by its name; without it only lost workers are counted.
    """
    found: list[Finding] = []
    for chosen in _batches(_chosen(tx, limit)):
        for case in _cases(tx, chosen, poison_limit, budgets or {}):
            found += [_finding(number, case.run["id"], what) for number, what in broken(case)]
        found += [_finding("I7", run_id, what) for run_id, what in _unleased(tx, chosen)]
        found += [_finding("I7", run_id, UNSEEN) for run_id in _unseen(chosen)]
        found += [_finding("I17", run_id, what) for run_id, what in rewritten.runs(tx, chosen).items()]
    return found + _locks(tx) + _free_locks(tx) + _columns(tx) + _stranded(tx)


def _unleased(tx: Tx, chosen: Sequence[Row]) -> list[tuple[str, str]]:
    """Steps of open runs that run, and whose loss no look at the leases would show."""
    ids = [row["id"] for row in chosen if row["completed_at"] is None]
    if not ids:
        return []
    mine = (step.c.tenant_id == tx.tenant, step.c.run_id.in_(ids), step.c.status == "running")
    rows = tx.rows(select(step.c.run_id, step.c.key).where(*mine, ~leases.is_noted()))
    return [(row["run_id"], f"step {row['key']} runs and is not among the leases") for row in rows]


def _unseen(chosen: Sequence[Row]) -> list[str]:
    """Runs for which a message is expected, and which no look at what is due would show."""
    return [row["id"] for row in chosen if row["expect_since"] is not None and row["expect_from"] is None]


def _stranded(tx: Tx) -> list[Finding]:
    """Resources that show the work of a run that is over: nothing can be done with them."""
    return [_finding("I18", one["run_id"], _left(one)) for one in in_transit.stranded(tx, LIMIT)]


def _left(one: Row) -> str:
    ended = f"is {one['status']}" if one["status"] else "is not there"
    return f"{one['kind']} {one['id']} is {one['state']}, and its run {ended}"


def _columns(tx: Tx) -> list[Finding]:
    return [{**_finding("I17", None, what), "todo": rewritten.MOVE} for what in rewritten.columns(tx)]


def _finding(number: str, run_id: str | None, what: str) -> Finding:
    return {"invariant": number, "run": run_id, "what": what, "todo": TODO.get(number, LOOK)}


def _chosen(tx: Tx, limit: int) -> list[Row]:
    mine = select(run).where(run.c.tenant_id == tx.tenant)
    open_ = mine.where(run.c.completed_at.is_(None)).order_by(run.c.created_at.desc(), run.c.id.desc())
    ended = mine.where(run.c.completed_at.is_not(None)).order_by(run.c.completed_at.desc())
    return tx.rows(open_.limit(limit)) + tx.rows(ended.limit(limit))


def _batches(rows: Sequence[Row]) -> list[Sequence[Row]]:
    return [rows[at : at + BATCH] for at in range(0, len(rows), BATCH)]


def _cases(tx: Tx, chosen: Sequence[Row], poison_limit: int, budgets: Mapping[str, int]) -> list[Case]:
    ids = [row["id"] for row in chosen]
    belong = {
        name: _by_run(_rows_of(tx, table, ids, order))
        for name, table, order in (
            ("steps", step, step.c.ordinal),
            ("timers", timer, timer.c.id),
            ("hooks", hook, hook.c.id),
            ("signals", signal, signal.c.seq),
            ("locks", lock, lock.c.resource),
            ("tickets", lock_waiter, lock_waiter.c.ticket),
            ("deliveries", delivery, delivery.c.id),
        )
    }
    belong["events"] = _by_run(unpacked(_rows_of(tx, event, ids, event.c.seq)))
    listeners = _listeners(tx)
    return [
        Case(
            now=tx.now,
            run=row,
            endpoints=[one for one in listeners if _heard(one, row)],
            poison_limit=poison_limit,
            budgets=budgets,
            **{name: rows.get(row["id"], []) for name, rows in belong.items()},
        )
        for row in chosen
    ]


def _rows_of(tx: Tx, table: Table, ids: Sequence[str], order: Any) -> list[Row]:
    own = select(table).where(table.c.tenant_id == tx.tenant, table.c.run_id.in_(ids))
    return tx.rows(own.order_by(order))


def _by_run(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["run_id"], []).append(row)
    return found


def _listeners(tx: Tx) -> list[Row]:
    joined = and_(subscription.c.tenant_id == webhook.c.tenant_id, subscription.c.webhook_id == webhook.c.id)
    columns = (
        subscription.c.event,
        subscription.c.webhook_id,
        subscription.c.run_id,
        webhook.c.created_at,
        webhook.c.updated_at,
    )
    where = (webhook.c.tenant_id == tx.tenant, webhook.c.active, subscription.c.event.in_(TOLD))
    return tx.rows(select(*columns).join(webhook, joined).where(*where))


def _heard(one: Row, run_row: Row) -> bool:
    """Whether an endpoint has listened to this run, unchanged, from the run's beginning on."""
    since = one["updated_at"] or one["created_at"] or 0
    everybody = [] if run_row["type"].startswith(QUIET) else [""]
    return one["run_id"] in (*everybody, run_row["id"]) and since <= run_row["created_at"]


def _locks(tx: Tx) -> list[Finding]:
    here = and_(lock.c.tenant_id == run.c.tenant_id, lock.c.run_id == run.c.id)
    fences = and_(lock.c.tenant_id == lock_fence.c.tenant_id, lock.c.resource == lock_fence.c.resource)
    wrong: Select[Any] = (
        select(lock.c.resource, lock.c.run_id, run.c.status, lock.c.fence, lock_fence.c.fence.label("last"))
        .outerjoin(run, here)
        .outerjoin(lock_fence, fences)
        .where(lock.c.tenant_id == tx.tenant)
        .where(or_(run.c.id.is_(None), lock_fence.c.fence.is_(None), lock.c.fence > lock_fence.c.fence))
        .limit(LIMIT)
    )
    return [_finding("I8", row["run_id"], _said(row)) for row in tx.rows(wrong)]


def _said(row: Row) -> str:
    if row["status"] is None:
        return f"{row['resource']} is held by a run that is not there"
    return f"{row['resource']} is held with fence {row['fence']}; the highest given was {row['last']}"


def _free_locks(tx: Tx) -> list[Finding]:
    """Locks that nobody holds although somebody has stood in line for long, and nobody has just let go."""
    held = exists().where(lock.c.tenant_id == tx.tenant, lock.c.resource == lock_waiter.c.resource)
    waiting = (
        select(lock_waiter.c.resource, lock_waiter.c.run_id, run.c.status)
        .outerjoin(run, and_(run.c.tenant_id == tx.tenant, run.c.id == lock_waiter.c.run_id))
        .where(lock_waiter.c.tenant_id == tx.tenant, ~held, lock_waiter.c.since < tx.now - LATE_MS)
        .order_by(lock_waiter.c.resource, lock_waiter.c.ticket)
        .limit(LIMIT)
    )
    first: dict[str, Row] = {}
    for row in tx.rows(waiting):
        first.setdefault(row["resource"], row)
    return [
        {**_finding("I8", row["run_id"], _unheld(row)), "todo": RECONCILE if row["status"] else LOOK}
        for row in first.values()
        if row["status"] is None or not _just_released(tx, row["resource"])
    ]


def _just_released(tx: Tx, resource: str) -> bool:
    type_, _, id_ = resource.partition("/")
    ended = and_(
        run.c.resource_type == type_, run.c.resource_id == id_, run.c.completed_at > tx.now - LATE_MS
    )
    return tx.value(select(run.c.id).where(run.c.tenant_id == tx.tenant, ended).limit(1)) is not None


def _unheld(row: Row) -> str:
    if row["status"] is None:
        return f"a run that is not there waits for {row['resource']}"
    return f"{row['resource']} is free and the run has been waiting for it"
