"""Plans: steps joined by ``|`` (then) and ``&`` (at the same time), printable data until they are stored.

A plan is wired by parameter names: what a step needs comes from the run's input, from what earlier steps
give, or from values written in the plan, the later source winning. `Plan.rows` turns it into step rows;
`segments` groups rows into the links that a chain carries.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from app.domain.errors import PlanError
from app.domain.policy import ALL, Join

Kind = Literal["task", "operation", "group", "map", "graph", "child", "code"]
QUEUES = (
    "default",
    "bmc",
    "kube",
    "cloud",
    "webhook",
    "app",
)  # Code workflows have others of their own.
SPACING = 1_000_000  # Room between two steps of the main line for the members of a fan-out.
MOST_ITEMS = 10_000  # Items a map may have.


@dataclass(frozen=True, kw_only=True)
class StepSpec:
    """What a plan must know about a step."""

    name: str  # Where it is registered: "server.reserve".
    needs: tuple[str, ...] = ()  # Parameters without a default.
    takes: tuple[str, ...] = ()  # All parameters.
    gives: tuple[str, ...] = ()  # Keys of its result.
    kind: Kind = "task"
    queue: str = "default"
    timeout_ms: int = 60_000  # Limit of one attempt; of the whole operation for an operation.
    alone: bool = False  # Asks for a message of its own.
    undo_needs: tuple[str, ...] = ()  # Parameters of its undo without a default.
    undoable: bool = False
    begin: str | None = None  # The step before it, by its title, where a repetition has to begin.

    @property
    def title(self) -> str:
        """The name that people see: the function's name with hyphens (contracts/runs.rst#run-object)."""
        return self.name.rsplit(".", 1)[-1].replace("_", "-")


@dataclass(frozen=True, kw_only=True)
class PlannedStep:
    """One row to be: a step at its place in the plan."""

    key: str
    name: str
    ordinal: int
    kind: Kind
    queue: str
    branch: str = ""  # Empty on the main line, "<group key>/<index>" inside a fan-out.
    values: Mapping[str, object] = field(default_factory=dict)
    timeout_ms: int = 60_000
    alone: bool = False
    undoable: bool = False


@dataclass(frozen=True, kw_only=True)
class Segment:
    """Steps that one link runs in a row."""

    first: str
    last: str
    queue: str
    limit_ms: int

    @property
    def label(self) -> str:
        """What Flower shows: "reserve" or "reserve..power"."""
        return self.first if self.first == self.last else f"{self.first}..{self.last}"


@dataclass(frozen=True)
class Do:
    """A step with the values that the plan gives it."""

    spec: StepSpec
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Group:
    """Plans that run at the same time and join."""

    branches: tuple["Plan", ...]
    join: Join = ALL
    limit: int | None = None


@dataclass(frozen=True)
class Map:
    """One plan for each item of a list, at the same time; results are given in the order of the items."""

    over: str  # Name of the list.
    item: str  # Name under which the plan gets its item.
    body: "Plan"
    gives: str
    join: Join = ALL
    limit: int | None = None


@dataclass(frozen=True)
class Graph:
    """Child runs that begin when what they need has ended; who accepts the run stores members and edges."""

    spec: StepSpec  # The step that is the graph: its undo is the way back from all children.
    gives: str
    limit: int | None = None


Node = Do | Group | Map | Graph


@dataclass(frozen=True)
class Plan:
    """A sequence of nodes."""

    nodes: tuple[Node, ...] = ()

    def __or__(self, other: "Plan") -> "Plan":
        return Plan(self.nodes + other.nodes)

    def __and__(self, other: "Plan") -> "Plan":
        if len(self.nodes) == 1 and isinstance(self.nodes[0], Group) and self.nodes[0].join == ALL:
            group = self.nodes[0]
            return Plan((replace(group, branches=(*group.branches, other)),))
        return Plan((Group((self, other)),))

    def joined(self, join: Join, limit: int | None = None) -> "Plan":
        """The same fan-out with another join policy and at most ``limit`` branches at once."""
        if len(self.nodes) != 1 or not isinstance(self.nodes[0], Group | Map):
            raise PlanError("Only a fan-out made by & or each() can be joined")
        return Plan((replace(self.nodes[0], join=join, limit=limit),))

    def rows(self) -> list[PlannedStep]:
        """The step rows of the plan; members of a map follow when its list is known."""
        names = _Keys()
        return [row for place, node in enumerate(self.nodes, 1) for row in _node_rows(node, place, names)]

    def wire(self, given: Iterable[str]) -> set[str]:
        """Names known after the plan; raises `PlanError` when a step needs a name that nobody provides."""
        known = set(given)
        for node in self.nodes:
            known |= _wired(node, known)
        return known

    def maps(self) -> Iterator[Map]:
        """The maps of the plan, in order."""
        return (node for node in self.nodes if isinstance(node, Map))


def each(over: str, item: str, body: Plan, *, gives: str, join: Join = ALL, limit: int | None = None) -> Plan:
    """Run a plan for each item of the list named ``over``, at most ``limit`` at once."""
    return Plan((Map(over, item, body, gives, join, limit),))


def graph(spec: StepSpec, *, gives: str, limit: int | None = None) -> Plan:
    """Run a graph of child runs, at most ``limit`` at once."""
    return Plan((Graph(spec, gives, limit),))


def member_row(
    key: str, group_key: str, index: int, ordinal: int, values: Mapping[str, object]
) -> PlannedStep:
    """A member of a graph: the place of one child run."""
    return PlannedStep(
        key=key,
        name="child",
        ordinal=ordinal,
        kind="child",
        queue="default",
        branch=f"{group_key}/{index}",
        values=values,
    )


def map_rows(node: Map, group_key: str, group_ordinal: int, items: list[object]) -> list[PlannedStep]:
    """The members of a map, once its items are known; raises `PlanError` beyond `MOST_ITEMS`."""
    if len(items) * max(1, len(node.body.nodes)) > MOST_ITEMS:
        raise PlanError(f"{node.over} has {len(items)} items; at most {MOST_ITEMS} steps may run in one map")
    rows: list[PlannedStep] = []
    for index, item in enumerate(items):
        for member in _branch_rows(node.body, group_key, index, _Keys(f"{group_key}[{index}].")):
            rows.append(
                replace(
                    member,
                    ordinal=group_ordinal + 1 + len(rows),
                    values={**member.values, node.item: item},
                )
            )
    return rows


def segments(rows: Iterable[PlannedStep]) -> list[Segment]:
    """The links of a sequence of steps: neighbours of one queue that neither wait nor are sent alone."""
    found: list[Segment] = []
    open_ = False
    for row in rows:
        fusible = row.kind == "task" and not row.alone
        if found and open_ and fusible and found[-1].queue == row.queue:
            found[-1] = replace(found[-1], last=row.key, limit_ms=found[-1].limit_ms + row.timeout_ms)
        else:
            limit = row.timeout_ms if row.kind in ("task", "code") else 60_000
            found.append(Segment(first=row.key, last=row.key, queue=row.queue, limit_ms=limit))
        open_ = fusible
    return found


class _Keys:
    """Keys of steps: the title, and from its second use on the title with a number."""

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self._used: dict[str, int] = {}

    def next(self, title: str) -> str:
        self._used[title] = count = self._used.get(title, 0) + 1
        return self._prefix + (title if count == 1 else f"{title}-{count}")


def _node_rows(node: Node, place: int, names: _Keys) -> list[PlannedStep]:
    ordinal = place * SPACING
    if isinstance(node, Do):
        return [_row(node, names.next(node.spec.title), ordinal, "")]
    if isinstance(node, Graph):
        return [_graph_row(node, f"graph:{node.gives}", ordinal)]
    kind: Kind = "group" if isinstance(node, Group) else "map"
    key = names.next(
        "parallel" if kind == "group" else f"each-{node.item}" if isinstance(node, Map) else kind
    )
    values: dict[str, object] = {"limit": node.limit, "need": node.join.need, "collect": node.join.collect}
    if isinstance(node, Map):
        values |= {"over": node.over, "item": node.item, "gives": node.gives}
    rows = [PlannedStep(key=key, name=kind, ordinal=ordinal, kind=kind, queue="default", values=values)]
    if isinstance(node, Group):
        for index, branch in enumerate(node.branches):
            for member in _branch_rows(branch, key, index, names):
                rows.append(replace(member, ordinal=ordinal + len(rows)))
    return rows


def _graph_row(node: Graph, key: str, ordinal: int) -> PlannedStep:
    return PlannedStep(
        key=key,
        name=node.spec.name,
        ordinal=ordinal,
        kind="graph",
        queue=node.spec.queue,
        values={"limit": node.limit, "gives": node.gives},
        timeout_ms=node.spec.timeout_ms,
        undoable=node.spec.undoable,
    )


def _branch_rows(branch: Plan, group_key: str, index: int, names: _Keys) -> list[PlannedStep]:
    rows = []
    for node in branch.nodes:
        if not isinstance(node, Do):
            raise PlanError(
                "A fan-out inside a fan-out is not supported: give the inner one a run of its own"
            )
        rows.append(_row(node, names.next(node.spec.title), 0, f"{group_key}/{index}"))
    return rows


def _row(node: Do, key: str, ordinal: int, branch: str) -> PlannedStep:
    spec = node.spec
    return PlannedStep(
        key=key,
        name=spec.name,
        ordinal=ordinal,
        kind=spec.kind,
        queue=spec.queue,
        branch=branch,
        values=dict(node.values),
        timeout_ms=spec.timeout_ms,
        alone=spec.alone,
        undoable=spec.undoable,
    )


def _wired(node: Node, known: set[str]) -> set[str]:
    if isinstance(node, Do):
        return _wired_step(node, known)
    if isinstance(node, Group):
        return set().union(*(branch.wire(known) for branch in node.branches)) - known
    if isinstance(node, Graph):
        return {node.gives}
    if node.over not in known:
        raise PlanError(f"The map over {node.over!r} needs a list of that name, which nobody provides")
    node.body.wire(known | {node.item})
    return {node.gives}


def _wired_step(node: Do, known: set[str]) -> set[str]:
    spec = node.spec
    strange = set(node.values) - set(spec.takes)
    if strange:
        raise PlanError(f"{spec.title} has no parameter {', '.join(sorted(strange))}")
    missing = [name for name in spec.needs if name not in known | set(node.values)]
    if missing:
        raise PlanError(f"{spec.title} needs {', '.join(missing)}, which nobody provides")
    unsure = [name for name in spec.undo_needs if name not in known | set(node.values)]
    if unsure:
        names = ", ".join(unsure)
        raise PlanError(
            f"The undo of {spec.title} needs {names}: its outcome may be unknown, so give a default"
        )
    return set(spec.gives)
