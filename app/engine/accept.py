"""Accept a request: run, steps, lock and first event in one transaction; its commit is the promise (T1)."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.domain.errors import Conflict, InvalidStateTransition, ValidationFailed
from app.domain.plan import PlannedStep
from app.domain.states import STEP_DONE, TERMINAL, Run, Step
from app.engine import locks
from app.engine.advance import advance
from app.engine.finish import finish
from app.engine.journal import FAN_OUT, Journal, Row, journal
from app.engine.rows import plan_facts, step_row
from app.record import hooks, runs
from app.record import locks as lock_rows
from app.record.session import Tx
from chains import catalogue


@dataclass(frozen=True, kw_only=True)
class Order:
    """What somebody asks for."""

    type: str
    input: Mapping[str, Any] = field(default_factory=dict)
    resource_id: str | None = None
    on_failure: str | None = None  # "compensate" or "hold"; None takes the type's default.
    tags: Sequence[str] | None = None
    idempotency_key: str | None = None
    callback_url: str | None = None
    on_conflict: str = "reject"  # "reject" or "queue" when the resource is locked.
    traceparent: str | None = None
    parent_run_id: str | None = None
    identity: Mapping[str, Any] | None = (
        None  # What makes two orders the same when the resource is new with them.
    )


def accept(tx: Tx, run_id: str, order: Order, actor: str) -> Journal:
    """Store a new run and ring for it; the journal is flushed. The same id is accepted once."""
    existing = _existing(tx, run_id, order)
    if existing is not None:
        return existing
    kind = catalogue.lookup(order.type)
    given = _with_resource(kind, order)
    rows = [step_row(run_id, row) for row in kind.plan(given).rows()]
    return _store(tx, run_id, order, kind, given, rows, actor)


def retry(
    tx: Tx,
    old_id: str,
    new_id: str,
    actor: str,
    *,
    from_step: str | None = None,
    earliest: bool = False,
    edited: Mapping[str, Any] | None = None,
    reason: str | None = None,
) -> Journal:
    """Store a new run that repeats an ended or held one, from the start or from a step (contract 1, A.6)."""
    if runs.read_run(tx, new_id) is not None:
        with journal(tx, new_id) as repeated:
            return repeated
    with journal(tx, old_id) as old:
        _retryable(old)
        steps = [row for row in runs.all_steps(tx, old_id) if row["phase"] == "forward"]
        start = _start(steps, from_step, earliest)
        kind = catalogue.lookup(old.run["type"])
        given = {**old.run["input"], **(kind.check({**_own(old, kind), **edited}) if edited else {})}
        rows = _inherited(old, new_id, kind.plan(given).rows(), steps, start)
        order = Order(
            type=old.run["type"],
            resource_id=old.run["resource_id"],
            on_failure=old.run["on_failure"],
            tags=old.run["tags"],
            callback_url=old.run["callback_url"],
        )
        held = old.status == Run.FAILED_HELD
        extra = {"retry_of": old_id, "from_step": start}
        difference = {k: v for k, v in given.items() if old.run["input"].get(k) != v}
        if held:
            old.event("operator.action", actor=actor, action="retry", reason=reason, retriedBy=new_id)
            for held_lock in lock_rows.held_by(tx, old_id):
                old.event("lock.released", resource=held_lock["resource"], movedTo=new_id)
            finish(old, Run.FAILED, inherited=True)
            old.flush()
        new = _store(
            tx,
            new_id,
            order,
            kind,
            given,
            rows,
            actor,
            extra=extra,
            changed=difference,
            heir_of=old_id if held else None,
        )
        if held:
            hooks.hand_over(tx, old_id, new_id)
        new.hints[:0] = old.hints
        return new


def _existing(tx: Tx, run_id: str, order: Order) -> Journal | None:
    same = run_id if runs.read_run(tx, run_id) is not None else None
    if same is None and order.idempotency_key:
        runs.enter_key(tx, order.idempotency_key)
        same = runs.run_with_key(tx, order.idempotency_key)
        if same is not None and runs.read_run(tx, same)["request_hash"] != request_hash(order):  # type: ignore[index]
            raise Conflict("the idempotency key was used for another request", run=same)
    if same is None:
        return None
    with journal(tx, same) as repeated:
        return repeated


def known(tx: Tx, order: Order) -> bool:
    """Whether a run was accepted under the order's idempotency key before."""
    return bool(order.idempotency_key) and runs.run_with_key(tx, str(order.idempotency_key)) is not None


def request_hash(order: Order) -> str:
    """What makes two orders the same."""
    resource = order.resource_id if order.identity is None else dict(order.identity)
    facts = [order.type, dict(order.input), resource, order.on_failure]
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def _with_resource(kind: catalogue.Workflow, order: Order) -> dict[str, Any]:
    given = kind.check(order.input)
    if kind.resource is None:
        return given
    if order.resource_id is None:
        raise ValidationFailed.of("resourceId", f"{kind.name} works on a {kind.resource}: name it")
    return {**given, f"{kind.resource}_id": order.resource_id}


def _own(old: Journal, kind: catalogue.Workflow) -> dict[str, Any]:
    return {name: value for name, value in old.run["input"].items() if name not in kind.always}


def _store(
    tx: Tx,
    run_id: str,
    order: Order,
    kind: catalogue.Workflow,
    given: dict[str, Any],
    rows: list[Row],
    actor: str,
    *,
    extra: Mapping[str, Any] | None = None,
    changed: Mapping[str, Any] | None = None,
    heir_of: str | None = None,
) -> Journal:
    values = {
        "id": run_id,
        "type": kind.name,
        "status": str(Run.QUEUED),
        "resource_type": kind.resource,
        "resource_id": order.resource_id,
        "triggered_by": actor,
        "input": given,
        "tags": list(order.tags or []),
        "on_failure": order.on_failure or kind.on_failure,
        "idempotency_key": order.idempotency_key,
        "request_hash": request_hash(order) if order.idempotency_key else None,
        "callback_url": order.callback_url,
        "parent_run_id": order.parent_run_id,
        "traceparent": order.traceparent,
        "eta_ms": runs.usual_duration(tx, kind.name) or kind.eta_ms,
        "created_at": tx.now,
        **(extra or {}),
    }
    runs.insert_run(tx, values)
    runs.insert_steps(tx, rows)
    with journal(tx, run_id) as j:
        lineage = {
            name: value
            for name, value in (("retryOf", values.get("retry_of")), ("changed", changed))
            if value
        }
        j.event("run.created", actor=actor, input=given, steps=[plan_facts(row) for row in rows], **lineage)
        if _locked(j, kind, order, heir_of):
            advance(j)
    return j


def _locked(j: Journal, kind: catalogue.Workflow, order: Order, heir_of: str | None) -> bool:
    if not kind.locks or order.resource_id is None:
        return True
    if heir_of is not None:
        lock_rows.hand_over(j.tx, heir_of, j.id)
        for held in lock_rows.held_by(j.tx, j.id):
            j.event("lock.granted", resource=held["resource"], fence=held["fence"], movedFrom=heir_of)
        return True
    return locks.take(j, f"{kind.resource}/{order.resource_id}", order.on_conflict)


def _retryable(old: Journal) -> None:
    if old.status in (Run.COMPENSATING, Run.CANCELLING, Run.COMPENSATION_FAILED):
        raise Conflict(
            "compensation is still in progress", reason="compensation_in_progress", status=old.status
        )
    if old.status not in (Run.FAILED, Run.CANCELLED, Run.FAILED_HELD):
        raise InvalidStateTransition(
            f"only a failed, cancelled or held run can be retried; this one is {old.status}",
            current=old.status,
        )
    live = runs.live_retry(old.tx, old.id)
    if live is not None:
        raise Conflict(f"run {live} retries this one already", retriedBy=live)


def _start(steps: Sequence[Row], from_step: str | None, earliest: bool) -> str | None:
    """The step to begin at, None for the first; raises when effects before it no longer stand."""
    main = [row for row in steps if not row["branch"]]
    gone = [row["key"] for row in main if row["status"] not in STEP_DONE or _undone(row, steps)]
    if earliest:
        return gone[0] if gone and gone[0] != main[0]["key"] else None
    if from_step is None:
        return None
    keys = [row["key"] for row in main]
    if from_step not in keys:
        raise ValidationFailed.of("fromStep", f"{from_step!r} is not a step of this run: {', '.join(keys)}")
    blocking = [key for key in keys[: keys.index(from_step)] if key in gone]
    if blocking:
        raise InvalidStateTransition(
            f"{', '.join(blocking)} did not complete or was undone; the earliest step possible is {gone[0]}",
            blockingSteps=blocking,
            earliestStep=gone[0],
        )
    return from_step


def _undone(row: Row, steps: Sequence[Row]) -> bool:
    if row["kind"] in FAN_OUT:
        return any(m["compensated_at"] for m in steps if m["branch"].startswith(f"{row['key']}/"))
    return row["compensated_at"] is not None


def _inherited(
    old: Journal, new_id: str, planned: Sequence[PlannedStep], steps: Sequence[Row], start: str | None
) -> list[Row]:
    """The rows of a retry: steps before the start stand, what may have happened stays undoable."""
    before = {row["key"]: row for row in steps}
    first = next((row.ordinal for row in planned if row.key == start), 0)
    rows = [
        _heir(step_row(new_id, row), before.get(row.key), old, skipped=row.ordinal < first) for row in planned
    ]
    known = {row["key"] for row in rows}
    for row in steps:  # Members of maps that stand, or have left something behind.
        skipped = row["ordinal"] < first
        if row["key"] not in known and (skipped or _stands(row, old)):
            rows.append(_heir(step_row(new_id, _as_planned(row)), row, old, skipped=skipped))
    return sorted(rows, key=lambda row: int(row["ordinal"]))


def _heir(row: Row, was: Row | None, old: Journal, *, skipped: bool) -> Row:
    if was is None:
        return row
    if skipped:
        done = {"status": str(Step.SKIPPED), "output": was["output"], "outcome": was["outcome"]}
        return {**row, **done, "reused_from": old.id}
    return {**row, "outcome": "unknown"} if _stands(was, old) else row


def _stands(was: Row, old: Journal) -> bool:
    """Whether the step of a held run may have done something that its retry has to undo."""
    return was["compensated_at"] is None and was["outcome"] != "none" and old.status not in TERMINAL


def _as_planned(row: Row) -> PlannedStep:
    return PlannedStep(
        key=row["key"],
        name=row["name"],
        ordinal=row["ordinal"],
        kind=row["kind"],
        queue=row["queue"],
        branch=row["branch"],
        values=row["given"] or {},
        timeout_ms=row["timeout_ms"],
        alone=row["alone"],
        undoable=row["undoable"],
    )
