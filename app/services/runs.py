"""Start, steer and end runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial

from app.auth import codesecrets
from app.auth.keys import Principal
from app.auth.secrets import hidden
from app.auth.tokens import hook_hash
from app.domain.errors import NotFound, ValidationFailed
from app.domain.events import EventType
from app.domain.ids import new_id
from app.domain.plan import Plan
from app.domain.rows.runs import RunRow, StepRow
from app.domain.states import ORDERED_ON_FAILURE, TERMINAL, RunStatus
from app.engine import admission
from app.engine.reconciler import resume
from app.engine.transitions import accept as accepting
from app.engine.transitions import locks as locking
from app.engine.transitions import operator_actions
from app.engine.transitions import retry as retrying
from app.engine.transitions.accept import Order
from app.engine.transitions.journal import Journal, Message, journal
from app.record.runs import hooks, locks, runs
from app.record.service import paused_types
from app.record.session import Tx
from app.services import audit, authority, callbacks, spelling
from app.services.context import AppContext
from chains import catalogue
from chains.catalogue import Workflow
from tasks.step import REGISTRY

__all__ = [
    "Order",
    "Started",
    "act",
    "cancel",
    "execute_hook",
    "preview",
    "release_lock",
    "resource_of",
    "retry",
    "start",
    "type_",
    "types",
]


@dataclass(frozen=True)
class Started:
    """A run that was accepted."""

    run: RunRow
    steps: list[StepRow] | None  # As they were stored; None for a run that is known already.


def start(world: AppContext, principal: Principal, order: Order) -> Started:
    """Accept a run. The commit is the promise that it will end."""
    run_id = new_id("run")
    authority.check(principal, order.type)
    _check_words(order)
    arrived = accepting.at_once(world.db, run_id, order, principal.actor)
    if arrived is not None:
        return Started(published(world, arrived), arrived.steps())

    def work(tx: Tx) -> tuple[Journal, list[StepRow] | None]:
        check_order(tx, order)
        if order.type in admission.FIRST:  # Here the resource is one that is known, whose first run failed.
            admission.check(tx, order, catalogue.lookup(order.type).resource)
        accepted = accept_order(tx, world, run_id, order, principal)
        return accepted, runs.all_steps(tx, run_id) if accepted.id == run_id else None

    accepted, steps = world.db.write(work)
    return Started(published(world, accepted), steps)


def accept_order(tx: Tx, world: AppContext, run_id: str, order: Order, principal: Principal) -> Journal:
    """Store a run and what belongs to it, in the caller's transaction."""
    authority.check(principal, order.type)
    if order.callback_url and not accepting.known(tx, order):
        callbacks.check(world, order.callback_url)
        callbacks.attach(tx, world, principal, run_id, order.callback_url)
    accepted = accepting.accept(tx, run_id, order, principal.actor)
    if accepted.id != run_id:  # Another request with this idempotency key was quicker by a moment.
        callbacks.detach(tx, run_id)
    return accepted


def shows_itself(run: RunRow) -> bool:
    """Whether the resource of an accepted run is shown as it is, and not as the run is about to make it.

    Until a run has its lock another one is at work there; one that is asked for again may have ended.
    """
    return run["status"] == RunStatus.LOCK_WAITING or run["status"] in TERMINAL


def preview(world: AppContext, principal: Principal, order: Order) -> dict[str, object]:
    """What a run would do: steps, locks, duration, and what compensation would undo. Stores nothing."""
    authority.check(principal, order.type)

    def work(tx: Tx) -> dict[str, object]:
        check_order(tx, order)
        kind = catalogue.lookup(order.type)
        given = {**kind.check(order.input, order.resource_id), **resource_input(kind, order)}
        steps = plan_steps(kind.plan(given), order.resource_id)
        undo = [step["key"] for step in reversed(steps) if step["undo"]]
        resource = f"{kind.resource}/{order.resource_id}" if kind.locks else None
        return {
            "type": kind.name,
            "resourceType": kind.resource,
            "resourceId": order.resource_id,
            "onFailure": order.on_failure or kind.on_failure,
            "steps": steps,
            "locks": [] if resource is None else [_lock_shown(tx, resource)],
            "estimatedDurationMs": runs.usual_duration(tx, kind.name, kind.eta_ms),
            "compensation": undo,
        }

    return world.db.read(work)


def cancel(
    world: AppContext, principal: Principal, run_id: str, reason: str | None = None, mode: str = "graceful"
) -> RunRow:
    """Ask a run to stop; returns its row as it then is."""

    def work(tx: Tx) -> Journal:
        with journal(tx, run_id) as j:
            authority.check_run(principal, j.run)
            operator_actions.cancel(j, principal.actor, mode=mode, reason=reason)
            audit.note(tx, principal, "run.cancel", run_id, reason=reason, after={"mode": mode})
        return j

    return published(world, world.db.write(work))


def retry(
    world: AppContext,
    principal: Principal,
    run_id: str,
    from_step: str | None = None,
    from_: str | None = None,
    input: Mapping[str, object] | None = None,
    reason: str | None = None,
) -> RunRow:
    """Repeat an ended or held run as a new one; returns the new run's row."""
    check_where(from_step, from_)
    fresh = new_id("run")

    def work(tx: Tx) -> Journal:
        old = runs.read_run(tx, run_id)
        if old is not None:
            authority.check_run(principal, old)
        if old is not None and old["callback_url"]:
            callbacks.attach(tx, world, principal, fresh, old["callback_url"])
        made = retrying.retry(
            tx,
            run_id,
            fresh,
            principal.actor,
            from_step=from_step,
            earliest=from_ == "earliest",
            edited=input,
            reason=reason,
            seal=lambda text: codesecrets.seal(world.sealer, text),
        )
        begun = {"retried_by": fresh, "from_step": made.run["from_step"]}
        audit.note(tx, principal, "run.retry", run_id, reason=reason, after=begun)
        return made

    return published(world, world.db.write(work))


def check_where(from_step: str | None, from_: str | None) -> None:
    """Refuse what names no place to begin at, or two of them."""
    if from_ not in (None, "earliest"):
        raise ValidationFailed.of("from", f'{from_!r} is not "earliest"')
    if from_step is not None and from_ is not None:
        raise ValidationFailed.of("from", "Give either fromStep or from, not both")


def act(
    world: AppContext,
    principal: Principal,
    run_id: str,
    action: str,
    step: str | None = None,
    reason: str | None = None,
) -> RunRow:
    """One operator action on a run: resume, compensate, skip, resolve, pause, unpause."""

    def work(tx: Tx) -> Journal:
        with journal(tx, run_id) as j:
            authority.check_run(principal, j.run)
            operator_actions.act(j, action, principal.actor, step=step, reason=reason)
            said = {"step": step} if step else None
            audit.note(tx, principal, f"run.{action}", run_id, reason=reason, after=said)
        return j

    return published(world, world.db.write(work))


def note(world: AppContext, principal: Principal, run_id: str, text: str) -> RunRow:
    """Write a remark into the log of a run, also of one that has ended."""

    def work(tx: Tx) -> Journal:
        with journal(tx, run_id) as j:
            authority.check_run(principal, j.run)
            operator_actions.note(j, principal.actor, text)
            audit.note(tx, principal, "run.note", run_id, reason=text)
        return j

    return published(world, world.db.write(work))


def check_hook(world: AppContext, token: str) -> None:
    """Raise `NotFound` for a token that is nobody's; what is sent with it need not be looked at."""
    if world.db.read(lambda tx: hooks.by_token(tx, hook_hash(token))) is None:
        raise NotFound("There is no such hook")


def execute_hook(world: AppContext, token: str, payload: object) -> dict[str, object]:
    """Deliver the call of a hook; an exact repeat gets the first answer again."""
    answer, messages = world.db.write(lambda tx: resume.execute_hook(tx, hook_hash(token), payload))
    world.publish(messages)
    return answer


def types(world: AppContext) -> list[dict[str, object]]:
    """The catalogue."""
    paused = world.db.read(paused_types.paused)
    known = catalogue.types()
    usual = {
        name: world.db.remembered(
            f"usual {name}", partial(runs.usual_duration, type_=name, declared=kind.eta_ms)
        )
        for name, kind in known.items()
    }
    return [_type_shown(kind, paused.get(name), usual[name]) for name, kind in sorted(known.items())]


def resource_of(type_name: str) -> str:
    """What kind of resource runs of a type work on; empty when it is not in the catalogue."""
    kind = catalogue.types().get(type_name)
    return "" if kind is None else kind.resource or ""


def type_(world: AppContext, name: str) -> dict[str, object]:
    """One type of the catalogue; raises `NotFound`."""
    found = next((shown for shown in types(world) if shown["type"] == name), None)
    if found is None:
        raise NotFound(f"There is no workflow type {name!r}", types=sorted(catalogue.types()))
    return found


def check_measured(world: AppContext, name: str) -> None:
    """Raise `ValidationFailed` for a type that is not in the catalogue and has no run."""
    if name not in catalogue.types() and not world.db.read(lambda tx: runs.any_of_type(tx, name)):
        known = ", ".join(sorted(catalogue.types()))
        raise ValidationFailed.of("type", f"{name!r} is neither in the catalogue nor has any run: {known}")


def type_action(
    world: AppContext, principal: Principal, name: str, action: str, reason: str | None = None
) -> dict[str, object]:
    """Pause or resume a type: a paused type accepts no new runs."""
    type_(world, name)
    if action not in ("pause", "resume"):
        raise ValidationFailed.of("action", f"{action!r} is not one of pause, resume")

    def work(tx: Tx) -> None:
        before = {"paused": name in paused_types.paused(tx)}
        paused_types.change(tx, name, action == "pause", principal.actor, reason)
        after = {"paused": action == "pause"}
        audit.note(tx, principal, f"type.{action}", name, reason=reason, before=before, after=after)

    world.db.write(work)
    return type_(world, name)


def release_lock(world: AppContext, principal: Principal, resource: str, reason: str | None = None) -> None:
    """Take a lock away from the run that holds it; audited on that run."""

    def work(tx: Tx) -> list[Message]:
        held = locks.holder(tx, resource)
        if held is None:
            raise NotFound(f"Nobody holds a lock on {resource}", resource=resource)
        with journal(tx, held["run_id"]) as j:
            locking.enter(j, resource)
            # The holder was read before its run was locked. If that has ended meanwhile, the lock is the next
            # one's in line, who is at work: to take it away would let two runs work on one machine (I8).
            if locks.holder(tx, resource) != held:
                raise NotFound(
                    f"Run {held['run_id']} holds the lock on {resource} no longer: look who holds it now",
                    resource=resource,
                )
            locks.release(tx, resource)
            j.event(
                EventType.LOCK_RELEASED, actor=principal.actor, resource=resource, reason=reason, forced=True
            )
        was = {"run_id": held["run_id"]}
        audit.note(tx, principal, "lock.release", resource, reason=reason, before=was)
        return resume.grant_waiting(tx, resource)

    world.publish(world.db.write(work))


def check_order(tx: Tx, order: Order) -> None:
    """Refuse what cannot be accepted whatever the plan says; raises `Rejected` errors."""
    _check_words(order)
    kind = catalogue.lookup(order.type)
    admission.check_type(tx, kind.name)
    if kind.name not in admission.FIRST:
        admission.check(tx, order, kind.resource)


def _check_words(order: Order) -> None:
    known = catalogue.types().get(order.type)
    if known is not None and known.ordered_by is not None:
        raise ValidationFailed.of("type", f"Runs of {order.type} are started by {known.ordered_by}")
    if order.on_failure not in (None, *ORDERED_ON_FAILURE):
        raise ValidationFailed.of("onFailure", f'{order.on_failure!r} is neither "compensate" nor "hold"')
    if order.on_conflict not in ("reject", "queue"):
        raise ValidationFailed.of("onConflict", f'{order.on_conflict!r} is neither "reject" nor "queue"')


def published(world: AppContext, j: Journal) -> RunRow:
    """Publish what a committed transaction wants published; returns the run's row."""
    world.publish(j.messages)
    return j.run


def plan_steps(plan: Plan, target: str | None = None) -> list[dict[str, object]]:
    """The steps of a plan as the API shows them, in order."""
    shown = []
    for row in plan.rows():
        step = REGISTRY.get(row.name)
        shown.append(
            {
                "key": row.key,
                "name": row.key if step is None else step.spec.title,
                "kind": row.kind,
                "queue": row.queue,
                "branch": row.branch or None,
                "target": target,
                "values": spelling.values(row.values),
                "timeoutMs": row.timeout_ms,
                "retry": None if step is None else step.retry.shown(),
                "undo": row.undoable,
                "atMostOnce": False if step is None else step.at_most_once,
            }
        )
    return shown


def resource_input(kind: Workflow, order: Order) -> dict[str, str]:
    """What a plan is told of the resource that an order names; raises `ValidationFailed`."""
    if kind.resource is None:
        return {}
    if order.resource_id is None:
        raise ValidationFailed.of("resourceId", f"{kind.name} works on a {kind.resource}: name it")
    return {f"{kind.resource}_id": order.resource_id}


def _lock_shown(tx: Tx, resource: str) -> dict[str, object]:
    held = locks.holder(tx, resource)
    return {"resource": resource, "holder": held["run_id"] if held else None}


def _type_shown(kind: Workflow, paused: Mapping[str, object] | None, usual: int) -> dict[str, object]:
    return {
        "type": kind.name,
        "resource": kind.resource,
        "description": kind.description,
        "expects": kind.expects,
        "steps": _example_steps(kind),
        "onFailure": kind.on_failure,
        "holdMs": kind.hold_ms,
        "expectedDurationMs": usual,
        "paused": paused is not None,
        "reason": paused["reason"] if paused else None,
    }


@cache
def _example_steps(kind: Workflow) -> list[dict[str, object]]:
    """The steps that a run with the example's input has; what a type declares never changes."""
    steps = [] if kind.example is None else plan_steps(kind.plan(kind.example))
    shown: list[dict[str, object]] = hidden(steps)
    return shown
