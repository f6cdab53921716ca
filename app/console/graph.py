"""Where the nodes and edges of a graph stand on its picture; pure.

    drawing = layout(nodes, edges, levels)
    for box in drawing.boxes: box.x, box.y, box.node
    for line in drawing.lines: line.path

Nodes of one level stand side by side, and a level follows the one before it: from left to right, or from top
to bottom where that is asked for. Within a level nodes stand by the middle of what leads to them, so that few
edges cross; an edge that passes a level has a free place in it. Of a level at most `MOST_SIDE` are drawn;
what is left out is counted, and stands in the table beside the picture. Lengths are pixels.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean

WIDTH, HEIGHT = 156, 38  # Of a box.
ALONG, ASIDE = 44, 12  # Between two levels, and between two boxes of a level.
ALONG_DOWN = 26
MOST_SIDE = 16
MOST_LEVELS = 100
MOST_FREE = 100  # Places that are kept free for edges; further ones go straight on.
Node = Mapping[str, object]  # With at least an `id`.


@dataclass(frozen=True, kw_only=True)
class Box:
    """A node at its place; x and y are those of its upper left corner."""

    x: int
    y: int
    node: Node


@dataclass(frozen=True, kw_only=True)
class Line:
    """An edge as the path of an SVG."""

    path: str
    kind: str  # hard, soft or optional: how it is drawn.


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """The whole, and how many nodes are not in it."""

    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    width: int
    height: int
    left_out: int = 0


def layout(
    nodes: Iterable[Node],
    edges: Iterable[tuple[str, str, str]],
    levels: Sequence[Sequence[str]],
    *,
    down: bool = False,
) -> Drawing:
    """The picture of nodes in levels; an edge is where it comes from, where it leads to, and its kind."""
    known = {str(node["id"]): node for node in nodes}
    rows = [[name for name in level if name in known][:MOST_SIDE] for level in levels[:MOST_LEVELS]]
    level_of = {name: at for at, row in enumerate(rows) for name in row}
    leads = [edge for edge in edges if edge[0] in level_of and edge[1] in level_of]
    ways = _ways(leads, level_of, rows)
    steps = [(one, two, kind) for way, kind in ways for one, two in pairwise(way)]
    rows = _ordered(rows, steps)
    widest = max((len(row) for row in rows), default=0)
    spots = {
        name: _spot(at, side, len(row), widest, down)
        for at, row in enumerate(rows)
        for side, name in enumerate(row)
    }
    along, across = len(rows), widest
    wide, high = (across, along) if down else (along, across)
    return Drawing(
        boxes=tuple(Box(x=x, y=y, node=known[n]) for n, (x, y) in spots.items() if n in level_of),
        lines=tuple(Line(path=_path([spots[name] for name in way], down), kind=kind) for way, kind in ways),
        width=wide * WIDTH + max(0, wide - 1) * (ASIDE if down else ALONG) + 2,
        height=high * HEIGHT + max(0, high - 1) * (ALONG_DOWN if down else ASIDE) + 2,
        left_out=len(known) - len(level_of),
    )


def _ways(
    leads: Sequence[tuple[str, str, str]], level_of: Mapping[str, int], rows: Sequence[list[str]]
) -> list[tuple[list[str], str]]:
    """What each edge goes through: its two ends, and a free place that it gets in each level between them."""
    ways, free = [], MOST_FREE
    for number, (from_, to, kind) in enumerate(leads):
        between = range(level_of[from_] + 1, level_of[to]) if free > 0 else range(0)
        places = [f"\0{number}.{at}" for at in between]
        for at, place in zip(between, places, strict=True):
            rows[at].append(place)
        free -= len(places)
        ways.append(([from_, *places, to], kind))
    return ways


def of_steps(
    steps: Sequence[Node],
) -> tuple[list[Node], list[tuple[str, str, str]], list[list[str]]]:
    """Nodes, edges and levels of a plan: a line of steps, some with branches that run at the same time."""
    nodes: list[Node] = []
    edges: list[tuple[str, str, str]] = []
    levels: list[list[str]] = []
    ends: list[str] = []  # What the next step of the line comes after.
    main = [step for step in steps if not step.get("branch")]
    for step in main:
        name = str(step["name"])
        nodes.append({**step, "id": name})
        levels.append([name])
        edges += [(end, name, "hard") for end in ends]
        ends = [name]
        tips = _branches(name, steps, nodes, edges, levels)
        ends = tips or ends
    return nodes, edges, levels


def _branches(
    group: str,
    steps: Sequence[Node],
    nodes: list[Node],
    edges: list[tuple[str, str, str]],
    levels: list[list[str]],
) -> list[str]:
    """Add the branches of a step below it; the last step of each."""
    lines: dict[str, list[Node]] = {}
    for step in steps:
        branch = str(step.get("branch") or "")
        if branch and branch.partition("/")[0] == group:
            lines.setdefault(branch, []).append(step)
    base, tips = len(levels), []
    for branch, inner in lines.items():
        before = group
        for depth, step in enumerate(inner):
            name = f"{branch}:{step['name']}"
            nodes.append({**step, "id": name})
            edges.append((before, name, "hard"))
            if base + depth == len(levels):
                levels.append([])
            levels[base + depth].append(name)
            before = name
        tips.append(before)
    return tips


def _ordered(levels: Sequence[Sequence[str]], edges: Sequence[tuple[str, str, str]]) -> list[list[str]]:
    """Each level by the middle of the places that lead to it."""
    before: dict[str, list[str]] = {}
    for from_, to, _kind in edges:
        before.setdefault(to, []).append(from_)
    place: dict[str, float] = {}
    found: list[list[str]] = []
    for level in levels:
        mids = {
            name: mean([place[one] for one in before.get(name, ()) if one in place] or [at])
            for at, name in enumerate(level)
        }
        row = sorted(level, key=lambda name: mids[name])
        place |= {name: float(at) for at, name in enumerate(row)}
        found.append(row)
    return found


def _spot(level: int, side: int, beside: int, widest: int, down: bool) -> tuple[int, int]:
    """The upper left corner of a box; a level stands in the middle of the widest one."""
    if down:
        return 1 + side * (WIDTH + ASIDE), 1 + level * (HEIGHT + ALONG_DOWN)
    free = (widest - beside) * (HEIGHT + ASIDE) // 2
    return 1 + level * (WIDTH + ALONG), 1 + free + side * (HEIGHT + ASIDE)


def _path(spots: Sequence[tuple[int, int]], down: bool) -> str:
    """A curve from the end of one box to the beginning of another, straight through places between them."""
    drawn = ""
    for (x, y), (u, v) in pairwise(spots):
        if down:
            x, y, u = x + WIDTH // 2, y + HEIGHT, u + WIDTH // 2
            bend = f"C{x} {(y + v) // 2} {u} {(y + v) // 2} {u} {v}"
        else:
            x, y, v = x + WIDTH, y + HEIGHT // 2, v + HEIGHT // 2
            bend = f"C{(x + u) // 2} {y} {(x + u) // 2} {v} {u} {v}"
        drawn += f"{'L' if drawn else 'M'}{x} {y}{bend}"
    return drawn
