"""Composes the graph of a definition: a node for the run of each operation, with items, edges and locks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.domain.batch import targets
from app.domain.batch.definition import BatchDefinition
from app.domain.batch.operation import Operation, RetryPolicy
from app.domain.batch.targets import Targets
from app.domain.rows.batches import EdgeRow
from app.domain.rows.runs import StepRow

TYPE = {"server_batch": "batch.servers", "taskserv_batch": "batch.taskservs"}
Accounts = Mapping[tuple[str, str | None], str]  # By provider and the name that the definition gives.


@dataclass(frozen=True, kw_only=True)
class Node:
    """A member of a graph before it is stored."""

    key: str
    type: str  # The type of its run.
    input: Mapping[str, Any]
    on_failure: str
    rank: tuple[int, int]  # The smaller one begins first.
    approval: bool = False
    soft: bool = False  # Whether its run gets the statuses of the members behind its soft edges.
    stands: StepRow | None = None  # Its completed row in the batch that this one retries, if kept.
    left_out: bool = False  # Excluded from this batch.

    @property
    def given(self) -> dict[str, Any]:
        """The data of its step row."""
        flags = {"soft": True} if self.soft else {}
        held = {"approval": True} if self.approval else {}
        return {
            "type": self.type,
            "input": dict(self.input),
            "on_failure": self.on_failure,
            **flags,
            **held,
        }


@dataclass(frozen=True, kw_only=True)
class Composed:
    """The graph of a batch, in the order of its definition."""

    nodes: Sequence[Node]
    edges: Sequence[EdgeRow]  # Without the id of the run.
    locks: Sequence[str]
    items: int
    warnings: Sequence[str] = field(default=())


def compose(
    definition: BatchDefinition,
    operations: Sequence[Operation],
    lineage: str,
    accounts: Accounts,
    in_order: Callable[[Sequence[str]], Sequence[str]],
) -> Composed:
    """The graph of these operations of a definition; raises `InvalidDefinition` where servers are missing.

    ``in_order`` puts each taskserv after those that it requires.
    """
    works_on = targets.of(operations)
    present = {one.id for one in operations}
    nodes: list[Node] = []
    locks: set[str] = set()
    for place, one in enumerate(operations):
        items = _items(one, works_on.get(one.id), accounts, in_order)
        # By provider and name, which are known before anything is created: two batches that would create or
        # change the same server exclude each other from the start.
        locks.update(f"instance/{item['provider']}/{item.get('server', item['name'])}" for item in items)
        nodes.append(_node(definition, one, place, items, lineage))
    edges: list[EdgeRow] = [
        {"needs": needed.id, "key": one.id, "kind": needed.type, "condition": needed.condition}
        for one in operations
        for needed in one.dependencies
        if needed.id in present
    ]
    warnings = [found.warning for found in works_on.values() if found.warning]
    total = sum(len(node.input["items"]) for node in nodes)
    return Composed(nodes=nodes, edges=edges, locks=sorted(locks), items=total, warnings=warnings)


def policy_of(retry: RetryPolicy) -> dict[str, Any]:
    """The retry policy of a step, in the form of `app.domain.policy.Backoff`."""
    return {
        "first_ms": round(retry.initial_delay * 1000),
        "cap_ms": round(retry.max_delay * 1000),
        "limit": retry.max_attempts,
        "linear": retry.backoff == "linear",
    }


def _node(
    definition: BatchDefinition, one: Operation, place: int, items: list[dict[str, Any]], lineage: str
) -> Node:
    given = {
        "operation": one.id,
        "lineage": lineage,
        "items": items,
        "policy": policy_of(definition.policy_of(one)),
        "timeout_ms": one.timeout_s * 1000,
        "limit": one.parallel,
    }
    stops = one.on_failure == "rollback" and not definition.rollback_enabled
    return Node(
        key=one.id,
        type=TYPE[one.type],
        input=given,
        on_failure="fail" if stops else one.on_failure,
        rank=(-one.priority, place),
        approval=one.approval,
        soft=any(needed.type != "hard" for needed in one.dependencies),
    )


def _items(
    one: Operation,
    works_on: Targets | None,
    accounts: Accounts,
    in_order: Callable[[Sequence[str]], Sequence[str]],
) -> list[dict[str, Any]]:
    if works_on is None:
        where = {"provider": one.provider, "account": accounts[one.provider, one.account]}
        return [{**server.document(), **where} for server in one.server_configs]
    ordered = in_order(one.taskservs)  # Once and not for each server, since it reads files.
    return [
        {
            "name": f"{taskserv}@{target.server}",
            "taskserv": taskserv,
            "server": target.server,
            "provider": target.provider,
            "account": accounts[target.provider, target.account],
        }
        for target in works_on.servers
        for taskserv in ordered
    ]
