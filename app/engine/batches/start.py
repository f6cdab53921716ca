"""Accepts a batch: run, graph, edges and locks in one transaction, in which the first operations begin.

1. If a batch with this id or idempotency key exists, return it.
2. Store the edges, then the run with the graph and a row for each operation, which counts what it waits for.
3. Acquire the locks of all servers that the batch names, or none and raise `ResourceLocked`.
4. Begin the operations that wait for nothing, as many as ``parallel_limit`` allows (`transitions.graph`).
"""

from dataclasses import dataclass, field, replace
from typing import Any

from app.domain.batch.definition import BatchDefinition
from app.domain.rows.batches import BatchRow
from app.domain.rows.runs import RunRow
from app.engine.batches.compose import Composed
from app.engine.batches.members import rows_of
from app.engine.transitions import accept, graph
from app.engine.transitions.accept import Order
from app.engine.transitions.journal import Journal
from app.engine.transitions.step_rows import step_row
from app.record.batches import batches, graphs
from app.record.runs import runs
from app.record.session import Tx
from chains import catalogue

TYPE = "batch.workflow"


@dataclass(frozen=True, kw_only=True)
class BatchOrder:
    """A batch to accept."""

    definition: BatchDefinition
    composed: Composed
    lineage: str
    actor: str
    idempotency_key: str | None = None
    identity: Any = None  # Compared when two orders have the same idempotency key.
    source: str | None = None
    nickel_version: str | None = None
    chosen: dict[str, Any] = field(default_factory=dict)
    retry_of: str | None = None
    heir_of: str | None = None  # A held batch whose locks this one takes over.
    reason: str | None = None


def accept_batch(tx: Tx, batch_id: str, order: BatchOrder) -> Journal:
    """Store a batch and start what may begin; the journal is flushed. Raises `ResourceLocked`.

    The same id, and the same idempotency key with the same definition, are accepted once.
    """
    definition = order.definition
    asked = Order(
        type=TYPE,
        input={"name": definition.name, "limit": definition.parallel_limit},
        resource_id=batch_id,
        locks=order.composed.locks,
        idempotency_key=order.idempotency_key,
        identity={"batch": order.identity},
    )
    known = accept.existing(tx, batch_id, asked)
    if known is not None:
        return known
    kind = catalogue.lookup(TYPE)
    given = {**asked.input, "batch_id": batch_id}
    (group,) = (step_row(batch_id, row) for row in kind.plan(given).rows())
    every = definition.rollback_strategy.checkpoint_interval
    usual = {name: runs.usual_duration(tx, name, catalogue.lookup(name).eta_ms) for name in _types(order)}
    group["given"] = {**(group["given"] or {}), "checkpoint_every": every, "usual": usual}
    edges = order.composed.edges
    members = rows_of(batch_id, group, order.composed.nodes, edges, reused_from=order.retry_of)
    # Before `graph.turn` below, which reads the edges as soon as a member begins.
    graphs.insert_edges(tx, [{**one, "run_id": batch_id} for one in edges])
    columns: RunRow = {} if order.retry_of is None else {"retry_of": order.retry_of}
    new = accept.of_type(kind, batch_id, asked, given, [group, *members], order.actor)
    j = accept.store(tx, replace(new, columns=columns, reason=order.reason, heir_of=order.heir_of))
    batches.insert_batch(tx, _row(tx, batch_id, order))
    # In this transaction and not by a message: if the host dies after the commit, the first operations have
    # begun, and the reconciler publishes their messages.
    graph.turn(j)
    j.flush()
    return j


def _types(order: BatchOrder) -> list[str]:
    return sorted({node.type for node in order.composed.nodes})


def _row(tx: Tx, batch_id: str, order: BatchOrder) -> BatchRow:
    definition, composed = order.definition, order.composed
    return {
        "run_id": batch_id,
        "name": definition.name,
        "version": definition.version,
        "storage_backend": definition.storage_backend,
        "parallel_limit": definition.parallel_limit,
        "rollback_enabled": definition.rollback_enabled,
        "definition": definition.document(),
        "source": order.source,
        "nickel_version": order.nickel_version,
        "warnings": list(composed.warnings),
        "chosen": order.chosen or None,
        "lineage": order.lineage,
        "retry_of": order.retry_of,
        "checkpoint_every": definition.rollback_strategy.checkpoint_interval,
        "operations": len(composed.nodes),
        "items": composed.items,
        "actor": order.actor,
        "created_at": tx.now,
    }
