"""Retries a batch as a new one: completed operations are kept, the others observe before they create.

1. Lock the first batch of the lineage, then the batch itself: one retry or rollback of a lineage at a time.
2. Compose the graph again from its definition. An operation is kept when it completed and none of its effects
   has been removed since: the rows of effects decide, not the output of the step.
3. A held batch ends and hands its locks over; for an ended one the locks are acquired again.
4. Accept the new batch with the same lineage. An operation that is not kept runs again, and finds the effects
   of an earlier attempt by their names.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from app.domain.batch.definition import BatchDefinition, parse
from app.domain.batch.graph import HARD, ancestors
from app.domain.errors import InvalidStateTransition, NotFound, ValidationFailed
from app.domain.events import EventType
from app.domain.rows.batches import BatchRow
from app.domain.rows.runs import StepRow
from app.domain.states import STEP_DONE, RunStatus, StepOutcome
from app.engine.batches import rollback, scope
from app.engine.batches.compose import Composed, Node
from app.engine.batches.start import BatchOrder, accept_batch
from app.engine.transitions.finish import finish
from app.engine.transitions.journal import Journal, journal
from app.record.batches import batches, graphs, instances
from app.record.runs import locks as lock_rows
from app.record.runs import runs
from app.record.session import Tx

RETRYABLE = (RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.FAILED_HELD)
Recompose = Callable[[BatchRow, BatchDefinition], Composed]


@dataclass(frozen=True, kw_only=True)
class Again:
    """Which part of a batch runs again."""

    from_: str = "failed"  # Or the id of a checkpoint: operations completed after it run again, too.
    operations: Sequence[str] = ()  # Only these and what they need; empty: all that are not kept.
    only_failed: bool = True  # False runs all again; they create only what is missing.


def retry(
    tx: Tx,
    old_id: str,
    new_id: str,
    actor: str,
    again: Again,
    recompose: Recompose,
    reason: str | None = None,
) -> Journal:
    """Store a batch that retries an ended or held one; raises the error of what does not allow it."""
    old = batches.read_batch(tx, old_id)
    if old is None:
        raise NotFound(f"There is no batch {old_id}")
    runs.lock_run(tx, old["lineage"])  # One rollback or retry of a lineage is decided at a time.
    with journal(tx, old_id) as j:
        # Read again under the locks: a rollback that has just ended may have removed effects.
        old = batches.read_batch(tx, old_id) or old
        held = _check(j, old)
        definition = parse(old["definition"])
        composed = recompose(old, definition)
        nodes = _nodes(tx, old, definition, composed.nodes, again)
        j.event(EventType.OPERATOR_ACTION, actor=actor, action="retry", reason=reason, retriedBy=new_id)
        if held:
            for one in lock_rows.held_by(tx, old_id):
                j.event(EventType.LOCK_RELEASED, resource=one["resource"], movedTo=new_id)
            finish(j, RunStatus.FAILED, inherited=True)
            j.flush()
        order = BatchOrder(
            definition=definition,
            composed=replace(composed, nodes=nodes),
            lineage=old["lineage"],
            actor=actor,
            source=old["source"],
            nickel_version=old["nickel_version"],
            chosen=old["chosen"] or {},
            retry_of=old_id,
            heir_of=old_id if held else None,
            reason=reason,
        )
        new = accept_batch(tx, new_id, order)
    new.messages[:0] = j.messages
    return new


def _check(j: Journal, old: BatchRow) -> bool:
    """Whether the batch is held; raises when it cannot be retried."""
    if old["undone"] == "all":
        raise InvalidStateTransition("The batch is rolled back: submit it anew", current="RolledBack")
    if j.status not in RETRYABLE:
        raise InvalidStateTransition(
            f"Only a failed, cancelled or held batch can be retried; this one is {j.status}", current=j.status
        )
    held = j.status == RunStatus.FAILED_HELD
    if not held:
        rollback.check_quiet(j.tx, old)
    return held


def _nodes(
    tx: Tx, old: BatchRow, definition: BatchDefinition, nodes: Sequence[Node], again: Again
) -> list[Node]:
    rows = {row["key"]: row for row in graphs.members(tx, old["run_id"])}
    stands = _standing(tx, old, rows, again)
    chosen = _chosen(definition, again.operations, {node.key for node in nodes})
    return [
        replace(
            node,
            stands=rows[node.key] if node.key in stands else None,
            left_out=chosen is not None and node.key not in chosen and node.key not in stands,
        )
        for node in nodes
    ]


def _standing(tx: Tx, old: BatchRow, rows: Mapping[str, StepRow], again: Again) -> set[str]:
    """The operations that completed and whose effects still exist."""
    if not again.only_failed:
        return set()
    done = {
        key for key, row in rows.items() if row["status"] in STEP_DONE and row["outcome"] == StepOutcome.DONE
    }
    if again.from_ != "failed":
        upto = scope.checkpoint(tx, old, again.from_, "from")
        reused = {key for key, row in rows.items() if row["reused_from"] is not None}
        done &= set(graphs.completed(tx, old["run_id"], upto)) | reused
    done -= set(again.operations)
    done -= _undone(tx, old, done, rows)
    return done - _unsure(tx, [rows[key] for key in done])


def _undone(tx: Tx, old: BatchRow, done: set[str], rows: Mapping[str, StepRow]) -> set[str]:
    """Operations of which a rollback has removed effects since."""
    made: dict[str, int] = {}
    for one in [*instances.made_by(tx, old["lineage"]), *instances.installed_by(tx, old["lineage"])]:
        made[one["operation"]] = made.get(one["operation"], 0) + 1
    # Fewer rows than servers created: a rollback, perhaps one that stopped half-way, has removed some.
    # Running the operation again creates only what is missing.
    return {key for key in done if made.get(key, 0) < _created(rows[key])}


def _unsure(tx: Tx, rows: Iterable[StepRow]) -> set[str]:
    """Operations that kept a server not created by this batch, which the inventory does not (any more) have.

    Its creator may remove such a server at any time. Running the operation again observes, and creates only
    what is missing.
    """
    kept = {row["key"]: _servers(row) for row in rows if (row["output"] or {}).get("kept")}
    names: dict[str, list[str]] = {}
    for provider, _account, name in chain.from_iterable(kept.values()):
        names.setdefault(provider, []).append(name)
    found = chain.from_iterable(instances.at(tx, provider, wanted) for provider, wanted in names.items())
    live = {(one["provider"], one["account"], one["name"]) for one in found}
    return {key for key, wanted in kept.items() if not wanted <= live}


def _servers(row: StepRow) -> set[tuple[str, str, str]]:
    """The servers of an operation's items, by provider, account and name."""
    items = ((row["given"] or {}).get("input") or {}).get("items") or ()
    return {(one["provider"], one["account"], one.get("server", one["name"])) for one in items}


def _created(row: StepRow) -> int:
    output: dict[str, Any] = row["output"] or {}
    return int(output.get("created") or 0)


def _chosen(definition: BatchDefinition, asked: Sequence[str], known: AbstractSet[str]) -> set[str] | None:
    """The operations asked for and those that they need; raises for one that was not part of the batch."""
    if not asked:
        return None
    strange = [name for name in asked if name not in known]
    if strange:
        raise ValidationFailed.of("operations", f"The batch has no operation {', '.join(strange)}")
    return ancestors(definition.operations, asked, HARD)
