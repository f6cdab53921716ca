"""Runs: insert, lock, change, delete, and the questions the engine asks of one run."""

import secrets
from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from app.domain.rows.runs import EventRow, LockedRun, RunRow, StepRow
from app.domain.usual import blended
from app.record.runs import event_rows
from app.record.service import subscriptions
from app.record.session import NOW, Tx
from app.record.tables import event, run, run_tag, step, totals
from app.record.tables.runs import TOTAL_SLOTS

# Operations of batches: shown, and deleted, with their batch.
OPERATIONS = ("batch.servers", "batch.taskservs", "batch.removal", "batch.mirror")
_BY_ID = (run.c.tenant_id == bindparam("tenant"), run.c.id == bindparam("run_id"))


def _subscribed(dialect: str) -> ColumnElement[str]:
    return literal_column(subscriptions.subscribed(dialect)).label("watched")


_LOCK = {
    dialect: select(run, literal_column(NOW[dialect]).label("now"), _subscribed(dialect))
    .where(*_BY_ID)
    .with_for_update(of=run, key_share=True)  # Timers of this run may be armed by others meanwhile.
    for dialect in NOW
}
_READ = select(run).where(*_BY_ID)
_STEPS = (
    select(step)
    .where(step.c.tenant_id == bindparam("tenant"), step.c.run_id == bindparam("run_id"))
    .order_by(step.c.phase.desc(), step.c.ordinal)
)
_NO_PAYLOADS: StepRow = {"given": None, "output": None, "ref": None, "signal": None}
_SLIM = select(*(column for column in step.columns if column.name not in _NO_PAYLOADS)).where(
    step.c.tenant_id == bindparam("tenant"), step.c.run_id == bindparam("run_id")
)
_LINE = _STEPS.where(
    step.c.phase == bindparam("phase"), step.c.branch.in_(bindparam("branches", expanding=True))
)
_SOME = _STEPS.where(step.c.phase == bindparam("phase"), step.c.key.in_(bindparam("keys", expanding=True)))
MOST_KEYS = 1_000  # Named in one statement.
_own = step.alias("own")
_own_branch = (
    select(_own.c.branch)
    .where(
        _own.c.tenant_id == bindparam("tenant"),
        _own.c.run_id == bindparam("run_id"),
        _own.c.phase == bindparam("phase"),
        _own.c.key == bindparam("key"),
    )
    .scalar_subquery()
)
_LINK = _STEPS.where(
    step.c.phase == bindparam("phase"), or_(step.c.branch == "", step.c.branch == _own_branch)
)
_ADD_EVENTS = insert(event)
OUTCOME = ("id", "status", "output", "error_code", "error_message", "completed_at")
CALL_COLUMNS = (  # What a code workflow needs to know of its earlier calls.
    *("run_id", "phase", "key", "ordinal", "name", "kind", "branch", "status", "given", "output", "error"),
    *("attempt", "outcome", "unsure", "undoable", "reused_from", "undoes", "queue", "timeout_ms"),
)


def insert_run(tx: Tx, values: RunRow) -> None:
    """Store a new run and its tags."""
    tx.execute(insert(run), {"tenant_id": tx.tenant, **values})
    if tags := values.get("tags"):
        same = {"tenant_id": tx.tenant, "run_id": values["id"], "type": values["type"]}
        times = {"created_at": values["created_at"]}
        tx.execute(insert(run_tag), [{**same, **times, "tag": tag} for tag in sorted(set(tags))])


def insert_runs(tx: Tx, rows: Sequence[RunRow]) -> None:
    """Store new runs without tags."""
    alike: dict[tuple[str, ...], list[Any]] = {}
    for values in rows:
        alike.setdefault(tuple(values), []).append({"tenant_id": tx.tenant, **values})
    for many in alike.values():
        tx.execute(insert(run), many)


def lock_run(tx: Tx, run_id: str) -> LockedRun | None:
    """The run, locked until the transaction ends; ``watched``: the events that somebody is told of."""
    found = tx.row(_LOCK[tx.dialect], {"tenant": tx.tenant, "run_id": run_id})
    if found is None:
        return None
    # The clock comes with the row. Whoever waited for a transaction that changed the run gets the time after
    # that change, since PostgreSQL computes the row anew: our events are never dated before those of the
    # holder.
    tx._now = int(found.pop("now"))
    return cast("LockedRun", {**found, "watched": subscriptions.read(found["watched"])})


def read_run(tx: Tx, run_id: str) -> RunRow | None:
    """The run as it stands."""
    return tx.row(_READ, {"tenant": tx.tenant, "run_id": run_id}, of=RunRow)


def outcomes(tx: Tx, run_ids: Sequence[str]) -> dict[str, RunRow]:
    """How those of these runs stand that there are, by id: status, output and error, and nothing else."""
    columns = (run.c[name] for name in OUTCOME)
    found: dict[str, RunRow] = {}
    wanted = select(*columns).where(run.c.tenant_id == tx.tenant)
    for at in range(0, len(run_ids), MOST_KEYS):
        part = wanted.where(run.c.id.in_(run_ids[at : at + MOST_KEYS]))
        found.update({row["id"]: row for row in tx.rows(part, of=RunRow)})
    return found


def is_open(tx: Tx, run_id: str) -> bool:
    """Whether there is such a run and it has not ended."""
    ended = select(run.c.completed_at).where(*_BY_ID)
    found = tx.row(ended, {"tenant": tx.tenant, "run_id": run_id})
    return found is not None and found["completed_at"] is None


def change_run(tx: Tx, run_id: str, changes: RunRow) -> None:
    """Change a locked run."""
    tx.execute(update(run).where(*_BY_ID), {"tenant": tx.tenant, "run_id": run_id, **changes})


def enter_key(tx: Tx, idempotency_key: str) -> None:
    """Keep everybody else from accepting a run under this key until this transaction ends."""
    if tx.dialect == "postgresql":  # SQLite has one writer.
        # An advisory lock, since there is no row yet to lock; the index on the key alone would answer with an
        # error.
        name = func.hashtextextended(f"{tx.tenant}/{idempotency_key}", 0)
        tx.execute(select(func.pg_advisory_xact_lock(name)))


def run_with_key(tx: Tx, idempotency_key: str) -> str | None:
    """The run that was accepted under this idempotency key."""
    where = (run.c.tenant_id == tx.tenant, run.c.idempotency_key == idempotency_key)
    found: str | None = tx.value(select(run.c.id).where(*where))
    return found


def live_retry(tx: Tx, run_id: str) -> str | None:
    """The retry of this run that has not ended."""
    where = (run.c.tenant_id == tx.tenant, run.c.retry_of == run_id, run.c.completed_at.is_(None))
    found: str | None = tx.value(select(run.c.id).where(*where))
    return found


def insert_steps(tx: Tx, rows: Sequence[StepRow]) -> None:
    """Store the steps of a run."""
    if rows:
        tx.execute(insert(step), [{"tenant_id": tx.tenant, **row} for row in rows])


def all_steps(tx: Tx, run_id: str) -> list[StepRow]:
    """Every step of a run: forward steps in order, then undo steps in order."""
    found = tx.rows(_STEPS, {"tenant": tx.tenant, "run_id": run_id}, of=StepRow)
    return sorted(found, key=lambda row: (row["phase"] == "comp", row["ordinal"]))


def line_steps(tx: Tx, run_id: str, phase: str, branch: str = "") -> list[StepRow]:
    """The steps of the main line and of one branch, in order: all that a link of that branch needs."""
    values = {"tenant": tx.tenant, "run_id": run_id, "phase": phase, "branches": list({"", branch})}
    return tx.rows(_LINE, values, of=StepRow)


def link_steps(tx: Tx, run_id: str, phase: str, key: str) -> list[StepRow]:
    """The steps that a link at this step can see: the main line and the step's own branch, in order."""
    values = {"tenant": tx.tenant, "run_id": run_id, "phase": phase, "key": key}
    return tx.rows(_LINK, values, of=StepRow)


def members(tx: Tx, run_id: str, group: str) -> list[StepRow]:
    """The members of a fan-out, in order."""
    where = (step.c.tenant_id == tx.tenant, step.c.run_id == run_id, step.c.phase == "forward")
    # Keys may hold % and _, which LIKE would take for any text.
    inside = step.c.branch.startswith(f"{group}/", autoescape=True)
    return tx.rows(select(step).where(*where, inside).order_by(step.c.ordinal), of=StepRow)


def idle_branches(tx: Tx, run_id: str, group: str, most: int | None) -> tuple[list[str], int]:
    """The first branches of a fan-out whose next step may begin and was not published, and how many."""
    inside = (
        step.c.tenant_id == tx.tenant,
        step.c.run_id == run_id,
        step.c.phase == "forward",
        step.c.branch.startswith(f"{group}/", autoescape=True),
    )
    place = func.row_number().over(partition_by=step.c.branch, order_by=step.c.ordinal)
    ahead = step.c.status.not_in(["completed", "skipped", "resolved"])
    line = select(step.c.branch, step.c.ordinal, step.c.status, step.c.expect_since, place.label("place"))
    left = line.where(*inside, ahead).subquery()
    idle = (left.c.place == 1, left.c.status == "pending", left.c.expect_since.is_(None))
    columns = (left.c.branch, func.count().over().label("all"))
    found = tx.rows(select(*columns).where(*idle).order_by(left.c.ordinal).limit(most))
    return [row["branch"] for row in found], found[0]["all"] if found else 0


def calls(tx: Tx, run_id: str, before: int | None = None) -> list[StepRow]:
    """The calls of a code workflow, in order; those before an ordinal alone, if one is given."""
    where = [step.c.tenant_id == tx.tenant, step.c.run_id == run_id, step.c.phase == "forward"]
    if before is not None:
        where.append(step.c.ordinal < before)
    columns = (step.c[name] for name in CALL_COLUMNS)
    found = select(*columns).where(*where, step.c.branch != "").order_by(step.c.ordinal)
    return tx.rows(found, of=StepRow)


def newest_child(tx: Tx, run_id: str, key: str) -> RunRow | None:
    """The run that a call of a code workflow waits for, or the last one that took over from it."""
    where = (run.c.tenant_id == tx.tenant, run.c.parent_run_id == run_id, run.c.parent_step == key)
    newest = select(run).where(*where).order_by(run.c.created_at.desc(), run.c.id.desc()).limit(1)
    return tx.row(newest, of=RunRow)


def lock_run_if_free(tx: Tx, run_id: str) -> bool:
    """Lock a run unless somebody else has it locked; for locking a second run without a deadlock."""
    where = (run.c.tenant_id == tx.tenant, run.c.id == run_id)
    return (
        tx.value(select(run.c.id).where(*where).with_for_update(skip_locked=True, key_share=True)) is not None
    )


def slim_steps(tx: Tx, run_id: str) -> list[StepRow]:
    """The same without what went in and came out."""
    values = {"tenant": tx.tenant, "run_id": run_id}
    return [{**row, **_NO_PAYLOADS} for row in tx.rows(_SLIM, values, of=StepRow)]


def one_step(tx: Tx, run_id: str, phase: str, key: str) -> StepRow | None:
    """One step of a run."""
    return tx.row(select(step).where(*_step(tx, run_id, phase, key)), of=StepRow)


def some_steps(tx: Tx, run_id: str, phase: str, *keys: str | None) -> dict[str, StepRow]:
    """The named steps of a run, by key; names that are None are left out."""
    wanted = [key for key in keys if key is not None]
    values = {"tenant": tx.tenant, "run_id": run_id, "phase": phase, "keys": wanted}
    return {row["key"]: row for row in tx.rows(_SOME, values, of=StepRow)}


def change_step(tx: Tx, run_id: str, phase: str, key: str, changes: StepRow) -> None:
    """Change a step of a locked run."""
    tx.execute(update(step).where(*_STEP_KEY), {**_key(tx, run_id, phase, key), **changes})


def change_steps(tx: Tx, run_id: str, changed: Sequence[tuple[StepRow, StepRow]]) -> None:
    """Change steps of a locked run, each in its own way: those whose same columns change go together."""
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row, changes in changed:
        place = _key(tx, run_id, row["phase"], row["key"])
        alike.setdefault(tuple(sorted(changes)), []).append({**place, **changes})
    for many in alike.values():
        tx.execute(update(step).where(*_STEP_KEY), many)


def expect_members(tx: Tx, run_id: str, keys: Sequence[str], now: int) -> None:
    """A message is expected for each of these steps of branches, under its next generation."""
    where = (step.c.tenant_id == tx.tenant, step.c.run_id == run_id, step.c.phase == "forward")
    changed = update(step).values(gen=step.c.gen + 1, expect_since=now)
    for first in range(0, len(keys), MOST_KEYS):
        tx.execute(changed.where(*where, step.c.key.in_(keys[first : first + MOST_KEYS])))


def renew_lease(tx: Tx, run_id: str, phase: str, key: str, *, fence: int, lease_ms: int) -> bool:
    """Extend the lease of a step that is still held under this fence; needs no run lock."""
    until: ColumnElement[int] = literal_column(f"{NOW[tx.dialect]} + {int(lease_ms)}")
    # This condition is all that guards a heartbeat: a claim since then has raised the fence. Neither the
    # run's lock nor an event is needed, so heartbeats of a thousand members do not wait in one line.
    where = (*_STEP_KEY, step.c.fence == fence, step.c.status == "running")
    changed = tx.execute(update(step).where(*where).values(lease_until=until), _key(tx, run_id, phase, key))
    return changed.rowcount == 1


def cancel_wanted(tx: Tx, run_id: str) -> bool:
    """Whether somebody asked for this run to be cancelled."""
    return (
        tx.value(select(run.c.cancel_requested_at).where(*_BY_ID), {"tenant": tx.tenant, "run_id": run_id})
        is not None
    )


def append_events(tx: Tx, rows: Sequence[EventRow]) -> None:
    """Append numbered events to the log."""
    if rows:
        tx.execute(_ADD_EVENTS, [{"tenant_id": tx.tenant, **row} for row in event_rows.packed(rows)])


def events_of(tx: Tx, run_id: str, until: int | None = None) -> list[EventRow]:
    """The log of a run from its beginning, up to and including an event number when one is given."""
    where = [event.c.tenant_id == tx.tenant, event.c.run_id == run_id]
    if until is not None:
        where.append(event_rows.up_to(tx, run_id, until))
    rows = tx.rows(select(event).where(*where).order_by(event.c.seq))
    return cast("list[EventRow]", list(event_rows.unpacked(rows, until=until)))


def total_slot() -> int:
    """The row, among those of a type and status, that counts a run: another one in each attempt.

    A row that somebody holds costs an attempt, and keeps no run from ending.
    """
    return secrets.randbelow(TOTAL_SLOTS)


def add_total(tx: Tx, type_: str, status: str, duration_ms: int) -> None:
    """Count one more ended run of this type and status."""
    where = {"tenant_id": tx.tenant, "type": type_, "status": status, "slot": total_slot()}
    values = {**where, "runs": 1, "duration_ms": duration_ms}
    statement = tx.insert(totals).values(values)
    tx.execute(
        statement.on_conflict_do_update(
            index_elements=list(where),
            set_={"runs": totals.c.runs + 1, "duration_ms": totals.c.duration_ms + duration_ms},
        )
    )


def any_of_type(tx: Tx, type_: str) -> bool:
    """Whether there is a run of this type."""
    where = (run.c.tenant_id == tx.tenant, run.c.type == type_)
    return tx.value(select(run.c.id).where(*where).limit(1)) is not None


def usual_duration(tx: Tx, type_: str, declared: int) -> int:
    """How long a run of a type takes in milliseconds: the median of the last ones, and what it declares.

    A few runs, of a demo perhaps, say little; until there are enough they are blended with the declaration.
    """
    duration = (run.c.completed_at - run.c.started_at - run.c.held_ms).label("ms")
    where = (run.c.tenant_id == tx.tenant, run.c.type == type_, run.c.status == "completed")
    recent = select(duration).where(*where).order_by(run.c.created_at.desc()).limit(50)
    found = sorted(row["ms"] for row in tx.rows(recent) if row["ms"] is not None)
    return round(blended(declared, found[(len(found) - 1) // 2] if found else 0, len(found)))


def ended_before(tx: Tx, before: int, limit: int) -> list[str]:
    """Runs that ended before this time, the first to end first."""
    where = (run.c.tenant_id == tx.tenant, run.c.completed_at.is_not(None), run.c.completed_at < before)
    found = (
        select(run.c.id)
        .where(*where, run.c.type.not_in(OPERATIONS))
        .order_by(run.c.completed_at)
        .limit(limit)
    )
    return [row["id"] for row in tx.rows(found)]


def delete_run(tx: Tx, run_id: str) -> None:
    """Delete an ended run, whole."""
    # These have no foreign key (`tables.runs` says why); tags, timers, hooks and signals go with the run's
    # row.
    for table in (event, step):
        tx.execute(delete(table).where(table.c.tenant_id == tx.tenant, table.c.run_id == run_id))
    tx.execute(delete(run).where(run.c.tenant_id == tx.tenant, run.c.id == run_id))


_STEP_KEY = (
    step.c.tenant_id == bindparam("b_tenant"),
    step.c.run_id == bindparam("b_run"),
    step.c.phase == bindparam("b_phase"),
    step.c.key == bindparam("b_key"),
)


def _key(tx: Tx, run_id: str, phase: str, key: str) -> dict[str, str]:
    return {"b_tenant": tx.tenant, "b_run": run_id, "b_phase": phase, "b_key": key}


def _step(tx: Tx, run_id: str, phase: str, key: str) -> tuple[Any, ...]:
    return (step.c.tenant_id == tx.tenant, step.c.run_id == run_id, step.c.phase == phase, step.c.key == key)
