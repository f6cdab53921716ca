"""Rolls a batch back by a linked run: a graph with reversed edges and a removal for each operation (G6).

An automatic and a manual rollback have the same type. The automatic one is part of the compensation of the
batch, which holds the locks meanwhile; a manual one acquires the locks itself.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from app.domain.batch.definition import parse
from app.domain.errors import Conflict, InvalidStateTransition, NotFound
from app.domain.ids import derived_id
from app.domain.rows.batches import BatchRow
from app.domain.rows.runs import RunRow
from app.domain.states import TERMINAL, RunStatus
from app.engine.batches import scope
from app.engine.batches.compose import Node, policy_of
from app.engine.batches.members import rows_of
from app.engine.batches.scope import Undo, Wanted
from app.engine.transitions import accept, checkpoints, graph
from app.engine.transitions.accept import Order
from app.engine.transitions.journal import GRAPH, Journal, Message, journal
from app.engine.transitions.step_rows import step_row
from app.record.batches import batches, graphs
from app.record.runs import runs
from app.record.session import Tx
from chains import catalogue

TYPE = "batch.rollback"


class RollbackDisabled(Conflict):
    """The batch was submitted with rollback_enabled = false; use force to undo it all the same."""

    code = "ROLLBACK_DISABLED"


def automatic(tx: Tx, batch_id: str, actor: str) -> tuple[bool, list[Message]]:
    """Start or check the rollback of a compensating batch; whether it has ended, and what to publish."""
    rollback_id = derived_id("run", batch_id, GRAPH, "undo")  # No operation can have this name.
    # The undo of the graph calls this repeatedly until the run has ended. The id is the same each time, so a
    # later call finds the run, also when the answer to the first commit was lost.
    known = runs.read_run(tx, rollback_id)
    if known is not None:
        return known["status"] in TERMINAL, []
    with journal(tx, batch_id) as j:
        batch = batches.read_batch(tx, batch_id)
        if batch is None or not batch["rollback_enabled"] or j.status != RunStatus.COMPENSATING:
            return True, []
        found = scope.undos(tx, batch, Wanted())
        if not found:
            return True, []
        checkpoints.add(j, "before_rollback")
        made = _store(tx, batch, rollback_id, found, actor, parent_step=GRAPH)
    return False, [*j.messages, *made.messages]


def by_hand(
    tx: Tx, batch_id: str, rollback_id: str, actor: str, wanted: Wanted
) -> tuple[list[Undo], Journal | None]:
    """Start a manual rollback; returns the removals, and its run, None when nothing is left to undo."""
    batch = _known(tx, batch_id)
    with _locked(tx, batch) as j:
        check(tx, batch, j.status, wanted)
        found = scope.undos(tx, batch, wanted)
        if not found:
            return [], None
        checkpoints.add(j, "before_rollback", actor=actor)
        return found, _store(tx, batch, rollback_id, found, actor, locks=scope.locks_of(found))


def preview(tx: Tx, batch_id: str, wanted: Wanted) -> list[Undo]:
    """The removals of a rollback, without starting it; raises what the rollback would raise."""
    batch = _known(tx, batch_id)
    status = (runs.read_run(tx, batch_id) or {}).get("status", "")
    check(tx, batch, status, wanted)
    return scope.undos(tx, batch, wanted)


def check(tx: Tx, batch: BatchRow, status: str, wanted: Wanted) -> None:
    """Raise the reason why a rollback is not possible now."""
    if not batch["rollback_enabled"] and not wanted.force:
        raise RollbackDisabled
    if status not in TERMINAL:
        raise InvalidStateTransition(
            f"A batch that is {status} cannot be rolled back: cancel it first, or wait for its end",
            current=status,
        )
    if batch["undone"] == "all":
        raise InvalidStateTransition("The batch is rolled back already", current="RolledBack")
    check_quiet(tx, batch)


def check_quiet(tx: Tx, batch: BatchRow) -> None:
    """Raise `Conflict` while another run works on the effects of this batch or its retries."""
    line = batches.lineage(tx, batch["lineage"])
    busy = batches.open_of(tx, [one["run_id"] for one in line] + [one["rollback_run"] for one in line])
    if busy is not None:
        raise Conflict(f"Run {busy} works on this batch: wait for its end", run=busy)


def _known(tx: Tx, batch_id: str) -> BatchRow:
    batch = batches.read_batch(tx, batch_id)
    if batch is None:
        raise NotFound(f"There is no batch {batch_id}")
    runs.lock_run(tx, batch["lineage"])  # One rollback or retry of a lineage is decided at a time.
    return batches.read_batch(tx, batch_id) or batch


def _locked(tx: Tx, batch: BatchRow) -> Any:
    return journal(tx, batch["run_id"])


def _store(
    tx: Tx,
    batch: BatchRow,
    rollback_id: str,
    found: Sequence[Undo],
    actor: str,
    *,
    parent_step: str | None = None,
    locks: Sequence[str] = (),
) -> Journal:
    kind = catalogue.lookup(TYPE)
    given = {"name": batch["name"], "limit": batch["parallel_limit"], "batch_id": batch["run_id"]}
    order = Order(
        type=TYPE,
        input=given,
        resource_id=batch["run_id"],
        locks=locks,
        parent_run_id=batch["run_id"],
    )
    (group,) = (step_row(rollback_id, row) for row in kind.plan(given).rows())
    nodes = _nodes(batch, found)
    edges = scope.edges_back(graphs.edges_of(tx, batch["run_id"]), {one.operation for one in found})
    rows = [group, *rows_of(rollback_id, group, nodes, edges)]
    graphs.insert_edges(tx, [{**one, "run_id": rollback_id} for one in edges])
    # It lets the end of this run wake the undo that waits for it. A manual rollback has no parent.
    columns: RunRow = {} if parent_step is None else {"parent_step": parent_step}
    new = accept.of_type(kind, rollback_id, order, given, rows, actor)
    j = accept.store(tx, replace(new, columns=columns))
    # Before the first removal begins: from now on `check_quiet` refuses a second rollback and a retry.
    batches.change_batch(tx, batch["run_id"], {"rollback_run": rollback_id, "undone": None})
    graph.turn(j)
    j.flush()
    return j


def _nodes(batch: BatchRow, found: Sequence[Undo]) -> list[Node]:
    definition = parse(batch["definition"])
    operations = {one.id: one for one in definition.operations}
    nodes = []
    for place, one in enumerate(found):
        operation = operations[one.operation]
        given = {
            "operation": one.operation,
            "lineage": batch["lineage"],
            "of": one.of,
            "items": one.items,
            "policy": policy_of(definition.policy_of(operation)),
            "timeout_ms": operation.timeout_s * 1000,
            "limit": operation.parallel,
        }
        nodes.append(
            Node(
                key=one.operation,
                type="batch.removal",
                input=given,
                on_failure="continue",
                rank=(0, place),
            )
        )
    return nodes
