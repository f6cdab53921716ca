"""Actions of clients and operators on the run of an app: replay, cancel, wake up."""

from collections.abc import Callable
from typing import Any, TypeVar

from app.domain.apps.decide import NewEvent, Write, text_of
from app.domain.apps.incoming import Incoming, storable
from app.domain.apps.refusal import bad, run_not_found
from app.domain.apps.words import OPEN, AppEventType, AppRunStatus, WaitStatus
from app.domain.ids import new_id
from app.engine.messages.publisher import Publisher
from app.record.apps import entities, hooks, log, messages, run_messages, runs
from app.record.apps.scope import Scope
from app.record.session import Database, Tx
from app.services.apps.write import write_in
from chains.messages import WakeUp

Row = dict[str, Any]
T = TypeVar("T")
QUEUE = "app"  # The Celery queue of the workers that deliver messages.


def fresh_run_id() -> str:
    """An id for a run that the service itself creates, in the DevKit's format."""
    return "wrun_" + new_id("").removeprefix("_").upper()


def replay(db: Database, publish: Publisher, app: str, run_id: str) -> Row:
    """Create a run of the same workflow with the same input, and the message that invokes it; its row."""
    fresh = fresh_run_id()

    def act(tx: Tx, scope: Scope, run: Row) -> Row:
        same = ("workflow", "deployment", "input", "context", "spec_version")
        made = {name: run[name] for name in same}
        times = {"created_at": tx.now, "updated_at": tx.now}
        columns = {"id": fresh, "status": AppRunStatus.PENDING, "attributes": "{}", **made, **times}
        # Run, event and message in one transaction: without its message the run would exist and never
        # begin. The run exists already when the answer to the first commit was lost.
        if not entities.write_run(tx, scope, fresh, Write(insert=True, columns=columns)):
            return _read(tx, scope, fresh)
        data = {
            "workflowName": run["workflow"],
            "deploymentId": run["deployment"],
            "replayedFrom": run_id,
        }
        log.append(tx, scope, fresh, [_event(AppEventType.RUN_CREATED, data, run["spec_version"])])
        payload = (text_of({"runId": fresh}) or "").encode()
        queue = run_messages.origin(tx, scope, run)
        run_messages.invoke(tx, scope, queue=queue, run_id=fresh, version=run["deployment"], payload=payload)
        return _read(tx, scope, fresh)

    made = _acted(db, app, run_id, act)
    publish([WakeUp(queue=QUEUE)])
    return made


def cancel(db: Database, app: str, run_id: str) -> Row:
    """Cancel an open run and end its messages, so that nothing more is delivered for it."""
    tried: list[str] = []

    def act(tx: Tx, scope: Scope, run: Row) -> Row:
        if tried and run["status"] == AppRunStatus.CANCELLED:
            return run  # The answer to the first commit was lost.
        if run["status"] not in OPEN:
            raise bad(f"run is already in terminal state: {run['status']}")
        written = write_in(tx, scope, _incoming(run, AppEventType.RUN_CANCELLED))
        # The run's row is locked first and the messages second, as everywhere. Their fences grow, so that a
        # delivery in progress cannot settle.
        messages.kill(tx, scope, run_id=run_id)
        tried.append(run_id)
        return written.run

    return _acted(db, app, run_id, act)


def wake_up(db: Database, publish: Publisher, app: str, run_id: str) -> int:
    """End the waits of a run, each with its event, and make its delayed messages due; how many waits."""

    def act(tx: Tx, scope: Scope, run: Row) -> int:
        waiting = hooks.waits(tx, scope, run_id, WaitStatus.WAITING)
        for one in waiting:
            write_in(tx, scope, _incoming(run, AppEventType.WAIT_COMPLETED, one["correlation_id"]))
        if waiting:
            run_messages.hasten(tx, scope, run_id)
        return len(waiting)

    stopped = _acted(db, app, run_id, act)
    if stopped:
        publish([WakeUp(queue=QUEUE)])
    return stopped


def _acted(db: Database, app: str, run_id: str, act: Callable[[Tx, Scope, Row], T]) -> T:
    """Call ``act`` in a transaction that has locked the run's row; raises `Refused` (404)."""

    def locked(tx: Tx) -> T:
        scope = Scope.of(tx, app)
        run = log.locked_run(tx, scope, run_id)
        if run is None:
            raise run_not_found(run_id)
        return act(tx, scope, run)

    if not storable(run_id):
        raise run_not_found(run_id)
    return db.write(locked)


def _read(tx: Tx, scope: Scope, run_id: str) -> Row:
    found = runs.one(tx, scope, run_id)
    assert found is not None
    return found


def _incoming(run: Row, kind: AppEventType, correlation_id: str | None = None) -> Incoming:
    return Incoming(run_id=run["id"], type=kind, correlation_id=correlation_id, spec_version=None, data=None)


def _event(kind: AppEventType, data: dict[str, object], spec_version: int | None) -> NewEvent:
    return NewEvent(type=kind, correlation_id=None, data=data, spec_version=spec_version)
