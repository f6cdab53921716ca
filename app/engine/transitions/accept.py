"""Accept a request: run, steps, lock and first event in one transaction; its commit is the promise (T1).

1. Look for the run of this id and of the idempotency key: a request that is sent again gets the first one's
   run. Its hash tells a repetition from another request under the same key.
2. Check the input against the type and make the plan.
3. Insert the run, its steps and ``run.created``, take its locks or a place in line, and expect a message.
4. Commit, then answer 202, then publish. A crash after the commit costs the answer and not the run: the
   client asks again with its key, and the reconciler publishes what was not.

A run that needs no lock, tag or callback is written by one statement first (`at_once`). It writes nothing
when anything stands in the way; the transaction then finds out what.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from app.domain.errors import Conflict, ValidationFailed
from app.domain.events import EventType
from app.domain.json import JsonObject
from app.domain.rows.runs import RunRow, StepRow
from app.domain.run_kind import RunKind
from app.domain.states import RunStatus
from app.engine.transitions import locks
from app.engine.transitions.advance import advance
from app.engine.transitions.journal import Journal, Message, journal
from app.engine.transitions.optimistic import NeedsLock, OptimisticTransition
from app.engine.transitions.step_rows import plan_facts, step_row
from app.record.fast_path import insert_run
from app.record.fast_path.transition import MOST_STEPS, RunSnapshot
from app.record.runs import locks as lock_rows
from app.record.runs import runs
from app.record.session import Database, Tx
from app.record.tables import run
from chains import catalogue

_BLANK: RunRow = {
    **cast("RunRow", dict.fromkeys(run.columns.keys())),
    "event_seq": 0,
    "log_bytes": 0,
    "dispatch_gen": 0,
    "priority": 5,
    "restarts": 0,
    "dispatch_attempts": 0,
}


@dataclass(frozen=True, kw_only=True)
class Order:
    """What somebody asks for."""

    type: str
    input: Mapping[str, Any] = field(default_factory=dict)
    resource_id: str | None = None
    on_failure: str | None = None  # "compensate", "hold" or "keep"; None takes the type's default.
    tags: Sequence[str] | None = None
    idempotency_key: str | None = None
    callback_url: str | None = None
    on_conflict: str = "reject"  # "reject" or "queue" when the resource is locked.
    locks: Sequence[str] = ()  # What the run works on besides, all or nothing; they are never waited for.
    traceparent: str | None = None
    parent_run_id: str | None = None
    identity: Mapping[str, Any] | None = (
        None  # What makes two orders the same when the resource is new with them.
    )


@dataclass(frozen=True, kw_only=True)
class NewRun:
    """A run that is about to be stored: the order, and what was made of it."""

    id: str
    type: str
    kind: RunKind
    order: Order
    input: dict[str, Any]  # Of the order, checked and with its defaults.
    steps: list[StepRow]
    actor: str
    on_failure: str
    eta_ms: int  # Unless runs of its type have shown how long they take,
    measured: bool = True  # which is asked for.
    resource: str | None = None  # Kind of what it works on: "server".
    locks: bool = False  # Whether it locks that.
    columns: RunRow = field(default_factory=lambda: RunRow())
    changed: Mapping[str, Any] | None = None  # What of the input differs from the run that this one retries.
    reason: str | None = None
    heir_of: str | None = None  # The held run that leaves its locks to this one.


def of_type(
    kind: catalogue.Workflow,
    run_id: str,
    order: Order,
    given: dict[str, Any],
    steps: list[StepRow],
    actor: str,
) -> NewRun:
    """A new run of a type of the catalogue."""
    return NewRun(
        id=run_id,
        type=kind.name,
        kind=kind.kind,
        order=order,
        input=given,
        steps=steps,
        actor=actor,
        on_failure=order.on_failure or kind.on_failure,
        eta_ms=kind.eta_ms,
        resource=kind.resource,
        locks=kind.locks,
    )


def accept(tx: Tx, run_id: str, order: Order, actor: str) -> Journal:
    """Store a new run and enqueue it; the journal is flushed. The same id is accepted once."""
    known_already = existing(tx, run_id, order)
    if known_already is not None:
        return known_already
    kind = catalogue.lookup(order.type)
    given = _with_resource(kind, order)
    rows = [step_row(run_id, row) for row in kind.plan(given).rows()]
    return store(tx, of_type(kind, run_id, order, given, rows, actor))


def existing(tx: Tx, run_id: str, order: Order) -> Journal | None:
    """The run of this id, or the one that was accepted under the order's idempotency key before."""
    same = run_id if runs.read_run(tx, run_id) is not None else None
    if same is None and order.idempotency_key:
        # Whoever sends the same key at this moment waits here and finds our run. At the unique index it would
        # fail instead, and repeat its whole transaction (I1; chaos: "non-unique idempotency key").
        runs.enter_key(tx, order.idempotency_key)
        same = runs.run_with_key(tx, order.idempotency_key)
        if same is not None and runs.read_run(tx, same)["request_hash"] != request_hash(order):  # type: ignore[index]
            raise Conflict("The idempotency key was used for another request", run=same)
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
    # Without tags and callback unless there are any: hashes that earlier releases stored still fit.
    facts: list[Any] = [order.type, dict(order.input), resource, order.on_failure]
    if order.tags or order.callback_url:
        facts += [sorted(order.tags or ()), order.callback_url]
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def _with_resource(kind: catalogue.Workflow, order: Order) -> dict[str, Any]:
    given = kind.check(order.input, order.resource_id)
    if kind.resource is None:
        return given
    if order.resource_id is None:
        raise ValidationFailed.of("resourceId", f"{kind.name} works on a {kind.resource}: name it")
    return {**given, f"{kind.resource}_id": order.resource_id}


def at_once(db: Database, run_id: str, order: Order, actor: str) -> Journal | None:
    """Store a new run and enqueue it in one statement; None when that has to be done in a transaction."""
    kind = catalogue.lookup(order.type)
    # Each of them is a row of another table, which the one statement does not write.
    if kind.locks or order.callback_url is not None or order.tags:
        return None
    given = _with_resource(kind, order)
    rows = [step_row(run_id, row) for row in kind.plan(given).rows()]
    return store_at_once(db, of_type(kind, run_id, order, given, rows, actor))


def store_at_once(db: Database, new: NewRun) -> Journal | None:
    """The same for a run whose steps are known."""
    if not new.steps or len(new.steps) > MOST_STEPS:
        return None
    usual = db.remembered(f"usual {new.type}", lambda tx: runs.usual_duration(tx, new.type, new.eta_ms))
    values: RunRow = {**_values(new, usual), **new.columns}
    # No clock is known before the statement: it gives run and events the database's own
    # (test_times_come_from_the_databases_clock).
    j = OptimisticTransition(RunSnapshot(run={**_BLANK, **values}, steps=new.steps, now=0))
    try:
        j.event(
            EventType.RUN_CREATED,
            actor=new.actor,
            input=new.input,
            steps=[plan_facts(row) for row in new.steps],
        )
        advance(j)
    except NeedsLock:
        return None
    j.flush()
    now = insert_run.create(db, j.run, new.steps, j.told)
    if now is None:
        return None
    j.run.update({"created_at": now, "expect_since": now, "expect_from": now})
    return j


def store_all(tx: Tx, news: Sequence[NewRun], watched: frozenset[str]) -> list[Message]:
    """Store children of one run, which hold no resource, and enqueue them; returns what is to be published.

    ``watched``: the events of their parent that somebody is told of. Those that begin with a plain step are
    written together, three statements however many they are.
    """
    born: list[OptimisticTransition] = []
    messages: list[Message] = []
    for new in news:
        try:
            born.append(_born(tx, new, watched))
        except NeedsLock:
            messages += store(tx, new).messages
    runs.insert_runs(tx, [j.born for j in born])
    runs.insert_steps(tx, [row for j in born for row in j.steps()])
    runs.append_events(tx, [row for j in born for row in j.told])
    return messages + [message for j in born for message in j.messages]


def _born(tx: Tx, new: NewRun, watched: frozenset[str]) -> OptimisticTransition:
    """A child as it is to be written; raises `NeedsLock` when its first step needs more than its own rows."""
    values: RunRow = {**_values(new, new.eta_ms), "created_at": tx.now, **new.columns}
    seen = RunSnapshot(run={**_BLANK, **values}, steps=new.steps, now=tx.now, watched=watched)
    j = OptimisticTransition(seen, new=values)
    planned = [plan_facts(row) for row in new.steps]
    j.event(EventType.RUN_CREATED, actor=new.actor, input=new.input, steps=planned)
    advance(j)
    j.flush()
    return j


def store(tx: Tx, new: NewRun) -> Journal:
    """Store a new run with its steps, take its locks and enqueue it."""
    usual = runs.usual_duration(tx, new.type, new.eta_ms) if new.measured else new.eta_ms
    values: RunRow = {**_values(new, usual), "created_at": tx.now, **new.columns}
    runs.insert_run(tx, values)
    runs.insert_steps(tx, new.steps)
    with journal(tx, new.id) as j:
        facts: JsonObject = {"retryOf": values.get("retry_of"), "changed": new.changed, "reason": new.reason}
        lineage = {name: value for name, value in facts.items() if value}
        j.event(
            EventType.RUN_CREATED,
            actor=new.actor,
            input=new.input,
            steps=[plan_facts(row) for row in new.steps],
            **lineage,
        )
        # In line for its lock the run expects no message; the grant publishes it.
        if _locked(j, new):
            advance(j)
    return j


def _values(new: NewRun, eta_ms: int) -> RunRow:
    order = new.order
    return {
        "id": new.id,
        "type": new.type,
        "kind": str(new.kind),
        "status": str(RunStatus.QUEUED),
        "resource_type": new.resource,
        "resource_id": order.resource_id,
        "triggered_by": new.actor,
        "input": new.input,
        "tags": list(order.tags or []),
        "on_failure": new.on_failure,
        "idempotency_key": order.idempotency_key,
        "request_hash": request_hash(order) if order.idempotency_key else None,
        "callback_url": order.callback_url,
        "parent_run_id": order.parent_run_id,
        "traceparent": order.traceparent,
        "eta_ms": eta_ms,
    }


def _locked(j: Journal, new: NewRun) -> bool:
    order = new.order
    if order.resource_id is None or not (new.locks or order.locks):
        return True
    if new.heir_of is not None:
        lock_rows.hand_over(j.tx, new.heir_of, j.id)
        for held in lock_rows.held_by(j.tx, j.id):
            j.event(
                EventType.LOCK_GRANTED,
                resource=held["resource"],
                fence=held["fence"],
                movedFrom=new.heir_of,
            )
        return True
    if order.locks:
        locks.take_all(j, order.locks)
        return True
    return locks.take(j, f"{new.resource}/{order.resource_id}", order.on_conflict)
