"""The step rows of a graph: the graph itself, and one row for each of its members."""

from collections.abc import Sequence

from app.domain.batch import edges as rules
from app.domain.plan import member_row
from app.domain.rows.batches import EdgeRow
from app.domain.rows.runs import StepRow
from app.domain.states import StepOutcome, StepStatus
from app.engine.batches.compose import Node
from app.engine.transitions.graph import Fate
from app.engine.transitions.step_rows import step_row


def rows_of(
    run_id: str,
    group: StepRow,
    nodes: Sequence[Node],
    edges: Sequence[EdgeRow],
    reused_from: str | None = None,
) -> list[StepRow]:
    """The members in the order in which they may begin, with what each waits for, and the graph's counters.

    Operations kept from a retried batch are skipped as done; operations that can never begin are skipped at
    once.
    """
    fates = _fates(nodes, edges)
    waits = {node.key: int(node.approval) for node in nodes}
    for one in edges:
        fate = fates.get(one["needs"])
        # Only unmet edges are counted: nothing will ever end an edge from an operation that is kept as done.
        if fate is None or not rules.is_met(one["condition"], fate.status, fate.reason):
            waits[one["key"]] += 1
    places = {node.key: place for place, node in enumerate(nodes)}
    made = []
    for order, node in enumerate(sorted(nodes, key=lambda node: node.rank), 1):
        ordinal = group["ordinal"] + order
        planned = member_row(node.key, group["key"], places[node.key], ordinal, node.given)
        row: StepRow = {**step_row(run_id, planned), "pending": waits[node.key]}
        made.append(_begun(row, node, fates.get(node.key), reused_from))
    # `transitions.graph` continues from these counters: with wrong ones a graph never ends (I10).
    group["succeeded"] = sum(1 for node in nodes if node.stands is not None)
    group["pending"] = sum(1 for row in made if row["status"] == StepStatus.PENDING)
    return made


def _begun(row: StepRow, node: Node, fate: Fate | None, reused_from: str | None) -> StepRow:
    if node.stands is not None:
        was = node.stands
        done: StepRow = {
            "status": str(StepStatus.SKIPPED),
            "outcome": StepOutcome.DONE,
            "reused_from": reused_from,
        }
        return {**row, **done, "output": was["output"], "pending": 0}
    if fate is not None:
        return {**row, "status": str(StepStatus.SKIPPED), "output": {"skipped": fate.reason}}
    return row


def _fates(nodes: Sequence[Node], edges: Sequence[EdgeRow]) -> dict[str, Fate]:
    """The results of nodes that will not run: kept and excluded ones, and those that depend on the latter."""
    needed_by: dict[str, list[EdgeRow]] = {}
    for one in edges:
        needed_by.setdefault(one["needs"], []).append(one)
    fates = {node.key: Fate(status="completed") for node in nodes if node.stands is not None}
    for node in nodes:
        if node.left_out:
            fates[node.key] = Fate(status="skipped", reason=rules.NOT_CHOSEN)
    frontier = list(fates)
    while frontier:
        key = frontier.pop()
        fate = fates[key]
        for one in needed_by.get(key, ()):
            if one["key"] not in fates and not rules.is_met(one["condition"], fate.status, fate.reason):
                reason = rules.reason_to_skip(one["condition"], fate.status, fate.reason)
                fates[one["key"]] = Fate(status="skipped", reason=reason)
                frontier.append(one["key"])
    return fates
