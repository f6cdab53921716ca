"""Actions on a batch: cancel, pause, resume, retry, approve, roll back, make a checkpoint."""

from collections.abc import Callable, Sequence
from typing import Any

from app.auth.keys import Principal
from app.domain.batch import graph
from app.domain.batch.definition import BatchDefinition
from app.domain.errors import InvalidStateTransition, NotFound
from app.domain.ids import batch_id as new_batch_id
from app.domain.ids import new_id
from app.domain.json import JsonObject
from app.domain.rows.batches import BatchRow
from app.domain.states import TERMINAL, RunStatus
from app.engine.batches import approval
from app.engine.batches import retry as retrying
from app.engine.batches import rollback as rolling
from app.engine.batches.compose import Composed
from app.engine.batches.retry import Again
from app.engine.batches.scope import Undo, Wanted
from app.engine.transitions import checkpoints, operator_actions
from app.engine.transitions.journal import Journal, journal
from app.record.batches import batches
from app.record.session import Tx
from app.services.batches.accounts import composed
from app.services.batches.read import find
from app.services.context import AppContext
from app.services.runs import published


def rollback(
    ctx: AppContext,
    batch_id: str,
    *,
    checkpoint_id: str | None = None,
    operations: Sequence[str] = (),
    force: bool = False,
    dry_run: bool = False,
    principal: Principal | None = None,
) -> JsonObject:
    """Undo the effects of a batch or a part of it, newest first; ``rollback_id`` is None without effects."""
    wanted = Wanted(operations=operations, checkpoint_id=checkpoint_id, force=force)
    if dry_run:
        found = ctx.db.read(lambda tx: rolling.preview(tx, batch_id, wanted))
        return _undone(ctx, batch_id, None, found)
    new = new_id("run")
    found, made = ctx.db.write(lambda tx: rolling.by_hand(tx, batch_id, new, _actor(principal), wanted))
    if made is not None:
        published(ctx, made)
    return _undone(ctx, batch_id, None if made is None else new, found)


def cancel(
    ctx: AppContext, batch_id: str, *, rollback: bool = False, principal: Principal | None = None
) -> JsonObject:
    """Start no further items and let running ones end; with ``rollback`` the effects are undone then."""

    def do(j: Journal, batch: BatchRow) -> None:
        if rollback and not batch["rollback_enabled"]:
            raise rolling.RollbackDisabled
        if j.status in TERMINAL:
            raise InvalidStateTransition(f"The batch has ended: it is {j.status}", current=j.status)
        if j.status not in (RunStatus.COMPENSATING, RunStatus.COMPENSATION_FAILED):
            # A repeated cancel changes nothing: a rollback that the first one promised remains.
            promised = j.run["cancel_requested_at"] is not None and j.run["on_failure"] == "compensate"
            j.set(on_failure="compensate" if rollback or promised else "keep")
        operator_actions.cancel(j, _actor(principal))

    return _changed(ctx, batch_id, do)


def pause(ctx: AppContext, batch_id: str, *, principal: Principal | None = None) -> JsonObject:
    """Let no operation or item begin until the batch is resumed."""

    def do(j: Journal, batch: BatchRow) -> None:
        _act(j, "pause", "paused", _actor(principal))
        checkpoints.add(j, "pause", actor=_actor(principal))

    return _changed(ctx, batch_id, do)


def resume(ctx: AppContext, batch_id: str, *, principal: Principal | None = None) -> JsonObject:
    """Let a paused batch go on."""
    return _changed(ctx, batch_id, lambda j, _: _act(j, "unpause", "resumed", _actor(principal)))


def retry(
    ctx: AppContext,
    batch_id: str,
    *,
    from_: str = "failed",
    operations: Sequence[str] = (),
    only_failed: bool = True,
    principal: Principal | None = None,
) -> JsonObject:
    """Start a new batch that keeps the completed operations of this one and does the rest."""
    new = new_batch_id()
    again = Again(from_=from_, operations=operations, only_failed=only_failed)

    def recompose(old: BatchRow, definition: BatchDefinition) -> Composed:
        chosen: dict[str, Any] = old["chosen"] or {}
        parts = (tuple(chosen.get("only", ())), tuple(chosen.get("except", ())))
        return composed(ctx, definition, graph.selected(definition.operations, *parts), old["lineage"])

    made = ctx.db.write(lambda tx: retrying.retry(tx, batch_id, new, _actor(principal), again, recompose))
    published(ctx, made)
    return {**find(ctx, new), "status": "Pending", "retry_of": batch_id}


def checkpoint(
    ctx: AppContext, batch_id: str, *, name: str | None = None, principal: Principal | None = None
) -> JsonObject:
    """Make a checkpoint now."""
    made: list[int] = []

    def do(j: Journal, batch: BatchRow) -> None:
        if j.status in TERMINAL:
            raise InvalidStateTransition(f"The batch has ended: it is {j.status}", current=j.status)
        row = checkpoints.add(j, "manual", name=name, actor=_actor(principal))
        made[:] = [row["sequence"]]

    return {**_changed(ctx, batch_id, do), "checkpoint_id": f"cp-{made[0]:04}"}


def approve(
    ctx: AppContext, batch_id: str, operation: str, *, principal: Principal | None = None
) -> JsonObject:
    """Approve an operation that waits for it."""
    return _changed(ctx, batch_id, lambda j, _batch: approval.approve(j, operation, _actor(principal)))


def _changed(ctx: AppContext, batch_id: str, do: Callable[[Journal, BatchRow], None]) -> JsonObject:
    def work(tx: Tx) -> Journal:
        batch = batches.read_batch(tx, batch_id)
        if batch is None:
            raise NotFound(f"There is no batch {batch_id}")
        with journal(tx, batch_id) as j:
            do(j, batch)
        return j

    published(ctx, ctx.db.write(work))
    return find(ctx, batch_id)


def _undone(ctx: AppContext, batch_id: str, rollback_id: str | None, found: Sequence[Undo]) -> JsonObject:
    return {
        "rollback_id": rollback_id,
        "workflow_id": batch_id,
        "status": find(ctx, batch_id)["status"],
        "operations": [{"id": one.operation, "items": [item["name"] for item in one.items]} for one in found],
    }


def _act(j: Journal, action: str, participle: str, actor: str) -> None:
    """Apply an operator action of runs to a batch; a refusal gets the wording of batches."""
    if action not in operator_actions.allowed_actions(j.status):
        raise InvalidStateTransition(f"A batch that is {j.status} cannot be {participle}", current=j.status)
    operator_actions.act(j, action, actor)


def _actor(principal: Principal | None) -> str:
    return "usr_local" if principal is None else principal.actor
