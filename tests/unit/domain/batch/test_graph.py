"""The graph of a batch: levels, cycles, closures and the order of undo."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.batch import graph
from app.domain.batch.definition import InvalidDefinition
from app.domain.batch.operation import Dependency, Operation, ServerConfig
from tests.support.growth import is_linear


def operation(name: str, *needs: str, kind: str = "hard") -> Operation:
    """An operation that makes one server of its name."""
    return Operation(
        id=name,
        type="server_batch",
        provider="local",
        dependencies=tuple(Dependency(id=one, type=kind) for one in needs),
        server_configs=(ServerConfig(name=f"{name}-server", plan="small", zone="here"),),
    )


DIAMOND = (operation("d", "b", "c"), operation("c", "a"), operation("b", "a"), operation("a"))


@st.composite
def acyclic(draw: st.DrawFn) -> list[Operation]:
    """Operations that depend on earlier ones, in any order."""
    count = draw(st.integers(1, 12))
    made = [
        operation(f"op-{at}", *draw(st.sets(st.sampled_from([f"op-{n}" for n in range(at)] or ["op-0"]))))
        if at
        else operation("op-0")
        for at in range(count)
    ]
    return draw(st.permutations(made))


def test_levels_follow_dependencies_and_then_definition_order() -> None:
    assert graph.levels(DIAMOND) == [["a"], ["c", "b"], ["d"]]


def test_the_shortest_of_two_cycles_is_found() -> None:
    long_ = [operation("a", "b"), operation("b", "c"), operation("c", "a")]
    short = [operation("x", "y"), operation("y", "x")]

    assert graph.shortest_cycle([*long_, *short]) == ["x", "y"]
    assert graph.shortest_cycle([operation("self", "self")]) == ["self"]
    assert graph.shortest_cycle(DIAMOND) == []


def test_only_brings_what_it_needs_and_except_takes_what_needs_it() -> None:
    assert [one.id for one in graph.selected(DIAMOND, only=["b"])] == ["b", "a"]
    assert [one.id for one in graph.selected(DIAMOND, except_=["c"])] == ["b", "a"]
    with pytest.raises(InvalidDefinition, match="except: Leaves no operation"):
        graph.selected(DIAMOND, except_=["a"])
    with pytest.raises(InvalidDefinition, match="only: The batch has no operation z"):
        graph.selected(DIAMOND, only=["z"])


def test_what_remains_does_not_wait_for_what_is_left_out() -> None:
    pair = (operation("first"), operation("then", "first", kind="soft"))

    (left,) = graph.selected(pair, only=["then"])

    assert left.dependencies == ()


def test_a_target_that_is_left_out_is_refused_and_not_taken_for_a_server() -> None:
    made = operation("made")
    installs = replace(
        operation("installs", "made", kind="soft"),
        type="taskserv_batch",
        server_configs=(),
        taskservs=("containerd",),
        targets=("made",),
    )

    with pytest.raises(InvalidDefinition, match="only: Leaves out made, a target of installs"):
        graph.selected((made, installs), only=["installs"])
    with pytest.raises(InvalidDefinition, match="except: Leaves out made, a target of installs"):
        graph.selected((made, installs), except_=["made"])
    named = replace(installs, targets=("made-server",))
    assert graph.selected((made, named), only=["installs"]) == (replace(named, dependencies=()),)


def test_the_newest_is_undone_first_and_nothing_before_what_needs_it() -> None:
    assert graph.undo_order(DIAMOND, ["a", "b", "c", "d"]) == ["d", "c", "b", "a"]
    assert graph.undo_order(DIAMOND, ["d", "a"]) == ["a", "d"]
    assert graph.undo_order([operation("b", "a"), operation("a")], ["b", "a"]) == ["b", "a"]


@given(acyclic())
def test_every_operation_is_one_level_above_its_highest_dependency(operations: Sequence[Operation]) -> None:
    level = {name: at for at, names in enumerate(graph.levels(operations)) for name in names}

    for one in operations:
        assert level[one.id] == 1 + max((level[d.id] for d in one.dependencies), default=-1)
    graph.check(operations)


@given(acyclic(), st.data())
def test_an_edge_back_makes_a_cycle_that_is_one(operations: list[Operation], data: st.DataObject) -> None:
    names = [one.id for one in operations]
    low = data.draw(st.sampled_from(names))
    high = data.draw(st.sampled_from(sorted(graph.descendants(operations, [low]))))
    closed = [
        operation(one.id, *{d.id for d in one.dependencies}, *([high] if one.id == low else []))
        for one in operations
    ]

    cycle = graph.shortest_cycle(closed)

    needs = {one.id: {d.id for d in one.dependencies} for one in closed}
    assert cycle and all(b in needs[a] for a, b in zip(cycle, [*cycle[1:], cycle[0]], strict=True))
    with pytest.raises(InvalidDefinition, match="circular"):
        graph.check(closed)


@given(acyclic())
def test_undo_is_an_order_of_the_reversed_graph(operations: list[Operation]) -> None:
    order = graph.undo_order(operations, [one.id for one in operations])

    place = {name: at for at, name in enumerate(order)}
    assert len(order) == len(operations)
    for one in operations:
        assert all(place[one.id] < place[d.id] for d in one.dependencies)


def chain_of(count: int) -> list[Operation]:
    """Each operation depends on the five before it."""
    return [operation(f"op-{at}", *(f"op-{n}" for n in range(max(0, at - 5), at))) for at in range(count)]


def test_the_cost_grows_with_the_graph_alone() -> None:
    sizes = {200: chain_of(200), 3200: chain_of(3200)}

    def work(size: int) -> None:
        graph.check(sizes[size])
        graph.levels(sizes[size])

    assert is_linear(work, 200)
