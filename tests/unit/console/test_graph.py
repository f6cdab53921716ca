"""The picture of a graph: nothing lies on anything else, and edges lead forward."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from app.console.graph import HEIGHT, MOST_SIDE, WIDTH, Drawing, layout, of_steps

Levels = list[list[str]]
levels = st.lists(st.integers(1, 24), min_size=1, max_size=8).map(
    lambda sizes: [[f"{at}.{n}" for n in range(size)] for at, size in enumerate(sizes)]
)


def drawn(rows: Levels, *, down: bool) -> Drawing:
    """A graph in which each node leads to all of the next level."""
    pairs = pairwise(rows)
    edges = [(one, two, "hard") for level, after in pairs for one in level for two in after]
    return layout([{"id": name} for row in rows for name in row], edges, rows, down=down)


@settings(max_examples=30)
@given(levels, st.booleans())
def test_no_box_lies_on_another_or_outside(rows: Levels, down: bool) -> None:
    found = drawn(rows, down=down)
    boxes = found.boxes
    assert len({(box.x, box.y) for box in boxes}) == len(boxes)
    for one in boxes:
        assert 0 <= one.x <= found.width - WIDTH and 0 <= one.y <= found.height - HEIGHT
        for other in boxes:
            apart = abs(one.x - other.x) >= WIDTH or abs(one.y - other.y) >= HEIGHT
            assert one is other or apart


@settings(max_examples=30)
@given(levels)
def test_what_does_not_fit_is_counted(rows: Levels) -> None:
    found = drawn(rows, down=False)
    assert found.left_out == sum(max(0, len(row) - MOST_SIDE) for row in rows)


def test_an_edge_that_passes_a_level_goes_beside_its_boxes() -> None:
    edges = [("a", "b", "hard"), ("b", "c", "hard"), ("a", "c", "soft")]
    found = layout([{"id": name} for name in "abc"], edges, [["a"], ["b"], ["c"]])
    tops = {box.node["id"]: box.y for box in found.boxes}
    passing = next(line.path for line in found.lines if line.kind == "soft")
    middle = int(passing.partition("L")[2].partition("C")[0].split()[1])
    assert not tops["b"] <= middle <= tops["b"] + HEIGHT


def test_a_plan_is_a_line_with_branches_beside_each_other() -> None:
    steps = [
        {"name": "a"},
        {"name": "map"},
        {"name": "x", "branch": "map/0"},
        {"name": "y", "branch": "map/0"},
        {"name": "x", "branch": "map/1"},
        {"name": "z"},
    ]
    _nodes, edges, rows = of_steps(steps)
    assert rows == [["a"], ["map"], ["map/0:x", "map/1:x"], ["map/0:y"], ["z"]]
    assert [(from_, to) for from_, to, _ in edges] == [
        ("a", "map"),
        ("map", "map/0:x"),
        ("map/0:x", "map/0:y"),
        ("map", "map/1:x"),
        ("map/0:y", "z"),
        ("map/1:x", "z"),
    ]
