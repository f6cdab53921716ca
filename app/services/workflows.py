"""Code workflows: what their own interface lets clients do (contracts/code-workflows.rst#endpoints)."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from app.auth.keys import Principal
from app.auth.tokens import issue_hook_token
from app.domain.errors import InvalidStateTransition, NotFound
from app.domain.events import EventType
from app.domain.json import JsonObject
from app.domain.rows.runs import RunRow
from app.domain.run_kind import RunKind
from app.domain.states import TERMINAL, RunStatus
from app.engine.code import emit as emitting
from app.engine.code import hooks, limits, signals
from app.engine.code import start as starting
from app.engine.code.emit import CircuitOpen
from app.engine.code.start import CodeOrder
from app.engine.transitions import operator_actions
from app.engine.transitions.journal import MAIN, Journal, journal
from app.engine.transitions.operator_actions import PAUSABLE
from app.record.runs import code_runs, runs
from app.record.session import Tx
from app.services import authority
from app.services.codeinput import sealed
from app.services.context import AppContext

__all__ = ["CodeOrder", "cancel", "change", "create_hook", "emit", "known", "signal", "trigger"]

T = TypeVar("T")
Row = dict[str, object]
CANCELLED = str(RunStatus.CANCELLED)


def trigger(world: AppContext, principal: Principal, order: CodeOrder) -> tuple[RunRow, bool]:
    """Accept a run; its row, and whether it is new. An idempotency key finds the run it was used for."""
    authority.check(principal, order.workflow)
    _check_parent(world, order)
    order = sealed(world, order)
    if order.version is None:
        raise world.db.read(lambda tx: starting.unknown(tx, order))
    j, fresh = starting.start(world.db, order, principal.actor)
    world.publish(j.messages)
    return j.run, fresh


def known(tx: Tx, run_id: str, *, follow: bool = True) -> RunRow:
    """The row of a code workflow's run, or of the run that goes on in its place if it is to be followed.

    Raises `NotFound`, also for a run of a declared type.
    """
    found = code_runs.latest(tx, run_id) if follow else runs.read_run(tx, run_id)
    if found is None or found["kind"] != RunKind.CODE:
        raise NotFound(f"There is no run {run_id} of a code workflow.")
    return found


def change(world: AppContext, principal: Principal, run_id: str, wanted: Mapping[str, Any]) -> RunRow:
    """Keep something with a run, or cancel it; raises `InvalidStateTransition` for what else is wanted."""
    outcome = [name for name in wanted if name not in ("execution_context", "status")]
    if outcome or wanted.get("status", CANCELLED) != CANCELLED:
        raise InvalidStateTransition(
            "Status, output and error are read-only; a client can only cancel a run (status: cancelled)"
        )

    def work(j: Journal) -> RunRow:
        if "execution_context" in wanted:
            _annotate(j, principal, wanted["execution_context"])
        if "status" in wanted:
            operator_actions.cancel(j, principal.actor)
        return j.run

    return _under_lock(world, run_id, work)


def cancel(world: AppContext, principal: Principal, run_id: str, reason: str | None = None) -> RunRow:
    """Ask a run to stop; raises `InvalidStateTransition` when it has ended."""

    def work(j: Journal) -> RunRow:
        operator_actions.cancel(j, principal.actor, reason=reason)
        return j.run

    return _under_lock(world, run_id, work)


def emit(
    world: AppContext,
    principal: Principal,
    run_id: str,
    event_type: str,
    payload: object,
    correlation_id: str | None = None,
) -> JsonObject:
    """Write an event of a user's type into the log of a run."""

    def work(j: Journal) -> JsonObject:
        return emitting.emit(j, event_type, payload, actor=principal.actor, correlation_id=correlation_id)

    return _under_lock(world, run_id, work)


def signal(
    world: AppContext, principal: Principal, run_id: str, name: str, data: object, key: str | None = None
) -> str:
    """Give a run a signal, which waits there until it is wanted; its id, the same for the same key."""

    def work(j: Journal) -> str:
        return signals.send(j, name, data, sender=principal.actor, key=key)

    return _under_lock(world, run_id, work)


def create_hook(
    world: AppContext, run_id: str, name: str, action: str | None, metadata: Mapping[str, object] | None
) -> JsonObject:
    """Make a hook; its token is given here and never again."""
    token, token_hash = issue_hook_token()

    def work(j: Journal) -> JsonObject:
        hook_id = hooks.create(j, name, action, metadata, token_hash)
        return {"id": hook_id, "run_id": j.id, "created_at": j.now}

    facts = {"name": name, "action": action, "metadata": metadata}
    return {**_under_lock(world, run_id, work), **facts, "token": token}


def _check_parent(world: AppContext, order: CodeOrder) -> None:
    parent = order.parent_run_id
    if parent is not None:
        world.db.read(lambda tx: known(tx, parent))


def _annotate(j: Journal, principal: Principal, context: Mapping[str, object]) -> None:
    if j.status in TERMINAL:
        raise InvalidStateTransition(
            f"The run is {j.status}: events can be added only while it is open", current=j.status
        )
    if not limits.room(j, j.one("forward", MAIN), 1):
        raise emitting.full_log(j)
    j.set(context=dict(context))
    j.event(EventType.RUN_ANNOTATED, actor=principal.actor, context=dict(context))


def _under_lock(world: AppContext, run_id: str, do: Callable[[Journal], T]) -> T:
    def work(tx: Tx) -> tuple[T, Journal]:
        going = run_id
        while True:
            going = known(tx, going)["id"]
            with journal(tx, going) as j:
                if code_runs.restarted_as(j.run) is None:  # Nor did that happen before it was locked.
                    return do(j), j

    try:
        done, j = world.db.write(work)
    except CircuitOpen:  # Whoever fills the log of a run ends it (contracts/code-workflows.rst#limits).
        world.publish(world.db.write(lambda tx: _end_full(tx, known(tx, run_id)["id"])).messages)
        raise
    world.publish(j.messages)
    return done


def _end_full(tx: Tx, run_id: str) -> Journal:
    with journal(tx, run_id) as j:
        if j.status in PAUSABLE | {RunStatus.PAUSED}:
            limits.full(j)
    return j
