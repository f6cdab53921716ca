"""Start code workflows: for a request, for a call of another one, for one that goes on afresh."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Unpack

from app.domain.errors import Conflict, NotFound, ValidationFailed
from app.domain.ids import new_id
from app.domain.rows.runs import RunRow
from app.domain.run_kind import RunKind
from app.engine.code.calls import main_row
from app.engine.transitions import accept
from app.engine.transitions.accept import NewRun, Order
from app.engine.transitions.journal import Journal
from app.record.runs import runs
from app.record.service import definitions
from app.record.session import Database, Tx
from windlass.failures import NotStorable
from windlass.values import concealed

ETA_MS = 60_000
Seal = Callable[[str], str]


@dataclass(frozen=True, kw_only=True)
class CodeOrder:
    """What somebody asks for."""

    workflow: str
    version: str | None = None  # None: the newest that a worker has announced.
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    run_id: str | None = None
    idempotency_key: str | None = None
    parent_run_id: str | None = None
    max_events: int | None = None
    execution_timeout_ms: int | None = None
    on_failure: str | None = None
    tags: Sequence[str] | None = None
    callback_url: str | None = None
    traceparent: str | None = None


def start(db: Database, order: CodeOrder, actor: str) -> tuple[Journal, bool]:
    """Store a new run and enqueue it; false: its idempotency key is that of a run that exists.

    Raises `NotFound` for a workflow that no worker ever announced, `Conflict` for a run id that is taken and
    for a key that was used with another input.
    """
    known = definitions.look(db, order.workflow, order.version)
    run_id = order.run_id or new_id("run")
    if known is not None and not order.tags and order.callback_url is None:
        made = accept.store_at_once(db, new_run(order, known, run_id, actor))
        if made is not None:
            return made, True
    journal = db.write(lambda tx: start_in(tx, run_id, order, actor))
    return journal, bool(journal.messages)  # A run that is new is enqueued.


def start_in(tx: Tx, run_id: str, order: CodeOrder, actor: str, **facts: Unpack[RunRow]) -> Journal:
    """The same in the caller's transaction; ``facts`` are further columns of the run."""
    known = definitions.find(tx, order.workflow, order.version)
    if known is None:
        raise unknown(tx, order)
    new = new_run(order, known, run_id, actor)
    existing = accept.existing(tx, run_id, new.order)
    if existing is not None:
        # Whoever chose the id and asks again gets its run; with another order it is somebody else's.
        if existing.id == order.run_id and not _repeats(existing.run, new.order):
            raise Conflict(f"There is a run {run_id} already", run=run_id)
        return existing
    columns: RunRow = {**new.columns, **facts}
    return accept.store(tx, replace(new, columns=columns))


def start_child(
    j: Journal, key: str, wanted: Mapping[str, Any], seal: Seal
) -> tuple[dict[str, Any], str | dict[str, Any]]:
    """Start a run that a call of this run waits for: what is kept of the call, and the id or an error."""
    order = CodeOrder(
        workflow=wanted["workflow"],
        version=wanted.get("version"),
        args=wanted.get("args") or (),
        kwargs=wanted.get("kwargs") or {},
        parent_run_id=j.id,
        on_failure="compensate",
    )
    run_id = wanted.get("run_id") or new_id("run")
    kept = {**wanted, "args": [], "kwargs": {}}
    try:
        order = sealed_order(j.tx, order, seal)
        kept = {**wanted, "args": list(order.args), "kwargs": dict(order.kwargs)}
        if runs.read_run(j.tx, run_id) is not None:
            raise Conflict(f"There is a run {run_id} already", run=run_id)
        child = start_in(j.tx, run_id, order, j.run["triggered_by"], parent_step=key)
    # A refused child is the result of the call, which the function may catch. The advance itself goes on: if
    # it failed, the replay would start the same child and fail for ever.
    except (Conflict, NotFound, ValidationFailed) as refused:
        details = {"type": "windlass:ChildFailed", "workflow": order.workflow}
        return kept, {"code": refused.code, "message": refused.message, "details": details}
    j.messages += child.messages
    return kept, child.id


def start_again(j: Journal, args: Sequence[Any], kwargs: Mapping[str, Any], seal: Seal) -> Journal:
    """Start the run that goes on in place of this one, for whoever waits for it, and is sent to it."""
    order = CodeOrder(
        workflow=j.run["type"],
        version=j.run["version"],
        args=args,
        kwargs=kwargs,
        parent_run_id=j.run["parent_run_id"],
        max_events=(j.run["limits"] or {}).get("maxEvents"),
        execution_timeout_ms=(j.run["limits"] or {}).get("executionTimeoutMs"),
        on_failure=j.run["on_failure"],
        tags=j.run["tags"],
    )
    order = sealed_order(j.tx, order, seal)
    run = j.run
    facts: RunRow = {"parent_step": run["parent_step"], "context": run["context"]}
    # `origin` is the first of the line: idempotency keys of signals count for all of it.
    facts |= {"origin": run["origin"] or j.id, "restarts": run["restarts"] + 1}
    return start_in(j.tx, new_id("run"), order, run["triggered_by"], **facts)


def secret_places(facts: Mapping[str, Any]) -> dict[str, int | None]:
    """The position of each parameter that a workflow declares as a secret; None for one by name alone."""
    return dict(facts.get("secretPlaces") or {})


def sealed_order(tx: Tx, order: CodeOrder, seal: Seal) -> CodeOrder:
    """The order with the arguments sealed that its workflow declares as secrets."""
    known = definitions.find(tx, order.workflow, order.version)
    return concealing(order, known["facts"] if known is not None else {}, seal)


def concealing(order: CodeOrder, facts: Mapping[str, Any], seal: Seal) -> CodeOrder:
    """The order with its secrets sealed, by what was announced of its workflow; raises `ValidationFailed`.

    Where there are secrets a name that no parameter has is refused: it may be one of them, mistyped, and
    would be stored and shown in clear.
    """
    places = secret_places(facts)
    names: Sequence[str] | None = facts.get("names")  # Older releases did not announce them.
    for name in order.kwargs:
        if places and names is not None and name not in names:
            there = ", ".join(names) or "none that may be given by name"
            raise ValidationFailed.of(
                "input", f"The workflow {order.workflow} has no parameter {name!r}; there are {there}"
            )
    try:
        args, kwargs = concealed(order.args, order.kwargs, places, seal)
    except NotStorable as error:
        raise ValidationFailed.of("input", str(error)) from None
    return replace(order, args=args, kwargs=kwargs)


def queue_of(name: str, version: str) -> str:
    """The queue of a workflow; see `windlass.workflow.Definition.queue`."""
    return f"wf.{name}" if version == "1" else f"wf.{name}@{version}"


def new_run(order: CodeOrder, known: Mapping[str, Any], run_id: str, actor: str) -> NewRun:
    """The run of an order, by what was announced of its workflow."""
    facts, name, version = known["facts"], known["name"], known["version"]
    given = {"args": list(order.args), "kwargs": dict(order.kwargs)}
    limits = {
        "maxEvents": order.max_events or facts.get("maxEvents"),
        "executionTimeoutMs": order.execution_timeout_ms or facts.get("executionTimeoutMs"),
    }
    return NewRun(
        id=run_id,
        type=name,
        kind=RunKind.CODE,
        order=Order(
            type=name,
            input=given,
            on_failure=order.on_failure,
            tags=order.tags,
            idempotency_key=f"wf/{name}/{order.idempotency_key}" if order.idempotency_key else None,
            callback_url=order.callback_url,
            traceparent=order.traceparent,
            parent_run_id=order.parent_run_id,
        ),
        input=given,
        steps=[main_row(run_id, queue_of(name, version), facts["stepTimeoutMs"])],
        actor=actor,
        on_failure=order.on_failure or "compensate",
        eta_ms=ETA_MS,
        columns={"version": version, "limits": limits},
    )


def _repeats(run: RunRow, order: Order) -> bool:
    """Whether a run was stored for this very order, which its idempotency key tells."""
    same_key = order.idempotency_key is not None and run["idempotency_key"] == order.idempotency_key
    return same_key and bool(run["request_hash"] == accept.request_hash(order))


def unknown(tx: Tx, order: CodeOrder) -> NotFound:
    """Why a run cannot be started: nobody has announced its workflow."""
    known = sorted({f"{one['name']}@{one['version']}" for one in definitions.everything(tx)})
    wanted = order.workflow if order.version is None else f"{order.workflow}@{order.version}"
    return NotFound(
        f"No worker has announced a workflow {wanted}: start one with `windlass worker --import MODULE`; "
        f"known are {', '.join(known) or 'none'}",
        workflows=known,
    )
