"""The graph of a batch as a picture: Mermaid, Graphviz, or plain data."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.domain.batch import graph
from app.domain.batch.operation import Dependency, Operation

FORMATS = ("json", "mermaid", "dot")
# Fill and outline by status; what has none is drawn plain.
COLOURS = {
    "Running": ("#dbeafe", "#1d4ed8"),
    "Retrying": ("#fef3c7", "#b45309"),
    "Completed": ("#dcfce7", "#15803d"),
    "Failed": ("#fee2e2", "#b91c1c"),
    "RollbackFailed": ("#fee2e2", "#b91c1c"),
    "RollingBack": ("#fef3c7", "#b45309"),
    "RolledBack": ("#e5e7eb", "#4b5563"),
    "Skipped": ("#f3f4f6", "#9ca3af"),
    "Cancelled": ("#f3f4f6", "#9ca3af"),
}
_MERMAID_ARROWS = {"hard": "-->", "soft": "-.->", "optional": "-.->"}
_DOT_STYLES = {"hard": "solid", "soft": "dashed", "optional": "dotted"}


@dataclass(frozen=True, kw_only=True)
class Node:
    """An operation as it is drawn."""

    id: str
    type: str
    provider: str
    dependencies: tuple[Dependency, ...] = ()
    status: str | None = None  # None: nothing runs yet.


def of_definition(operations: Iterable[Operation]) -> list[Node]:
    """What a definition would run."""
    return [
        Node(id=one.id, type=one.type, provider=one.provider, dependencies=one.dependencies)
        for one in operations
    ]


def of_detail(operations: Iterable[Mapping[str, Any]]) -> list[Node]:
    """The operations of a batch, as its detail shows them."""
    return [
        Node(
            id=one["id"],
            type=one["type"],
            provider=one["provider"],
            dependencies=tuple(_edge(d) for d in one["dependencies"]),
            status=one["status"],
        )
        for one in operations
    ]


def _edge(found: Mapping[str, Any]) -> Dependency:
    kind = found.get("type") or "hard"
    return Dependency(id=found["id"], type=kind, condition=found.get("condition") or _usual(kind))


def _usual(kind: str) -> str:
    """The condition that goes without saying."""
    return "success" if kind == "hard" else "finished"


def data(nodes: Sequence[Node]) -> dict[str, Any]:
    """Levels, nodes and edges; an edge leads from what is needed to what needs it."""
    levels = graph.levels(
        [Operation(id=n.id, type=n.type, provider=n.provider, dependencies=n.dependencies) for n in nodes]
    )
    level = {name: at for at, names in enumerate(levels) for name in names}
    return {
        "levels": levels,
        "nodes": [
            {"id": n.id, "type": n.type, "provider": n.provider, "status": n.status, "level": level.get(n.id)}
            for n in nodes
        ],
        "edges": [
            {"from": d.id, "to": n.id, "type": d.type, "condition": d.condition, "absent": d.id not in level}
            for n in nodes
            for d in n.dependencies
        ],
    }


def mermaid(nodes: Sequence[Node]) -> str:
    """A Mermaid flowchart; the status of an operation is the class of its node."""
    names = {n.id: f"n{at}" for at, n in enumerate(nodes)}
    lines = ["flowchart TD"]
    for n in nodes:
        mark = f":::{n.status}" if n.status in COLOURS else ""
        lines.append(f'  {names[n.id]}["{n.id}<br/>{_label(n)}"]{mark}')
    for n in nodes:
        for d in n.dependencies:
            if d.id in names:
                said = f"|{d.condition}|" if _is_special(d) else ""
                lines.append(f"  {names[d.id]} {_MERMAID_ARROWS[d.type]}{said} {names[n.id]}")
    used = {n.status for n in nodes}
    lines += [
        f"  classDef {status} fill:{fill},stroke:{line}"
        for status, (fill, line) in COLOURS.items()
        if status in used
    ]
    return "\n".join(lines) + "\n"


def dot(nodes: Sequence[Node]) -> str:
    """A graph of Graphviz."""
    known = {n.id for n in nodes}
    lines = ["digraph batch {", "  node [shape=box, style=filled, fillcolor=white];"]
    for n in nodes:
        fill, line = COLOURS.get(n.status or "", ("white", "black"))
        lines.append(f'  "{n.id}" [label="{n.id}\\n{_label(n)}", fillcolor="{fill}", color="{line}"];')
    for n in nodes:
        for d in n.dependencies:
            if d.id in known:
                said = f', label="{d.condition}"' if _is_special(d) else ""
                lines.append(f'  "{d.id}" -> "{n.id}" [style={_DOT_STYLES[d.type]}{said}];')
    return "\n".join([*lines, "}"]) + "\n"


def _label(node: Node) -> str:
    return " ".join(part for part in (node.type, node.provider, node.status) if part)


def _is_special(dependency: Dependency) -> bool:
    """Whether the condition says more than the type of the dependency."""
    return dependency.condition != _usual(dependency.type)
