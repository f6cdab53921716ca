"""The graph of a batch: edges lead to what an operation depends on, and definition order breaks ties."""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from heapq import heapify, heappop, heappush

from app.domain.batch import words
from app.domain.batch.invalid import InvalidDefinition, too_many
from app.domain.batch.operation import Operation

MOST_STEPS = 400_000  # Edges looked at in the search for a short cycle.
SHOWN = 20  # Operations of a cycle that a sentence names.
EVERY = frozenset(words.DEPENDENCY_TYPES)
HARD = frozenset({"hard"})


def check(operations: Sequence[Operation]) -> None:
    """Raise `InvalidDefinition` for an id used twice, an unknown dependency, too many, or a cycle."""
    places = _places(operations)
    needs = _needs(operations, places)
    for at, one in enumerate(operations):
        if len(needs[at]) < len(one.dependencies):  # Nearly never: only then names are looked up once more.
            for needed in one.dependencies:
                if needed.id not in places and needed.type != "optional":
                    raise _unknown(at, one, needed.id)
    edges = sum(len(one.dependencies) for one in operations)
    if edges > words.MOST_EDGES:
        raise too_many("dependencies", words.MOST_EDGES, edges)
    if _core(needs):
        raise _cyclic(shortest_cycle(operations))


def check_known(operations: Sequence[Operation], asked: Iterable[str], field: str) -> None:
    """Raise `InvalidDefinition` when a list names an operation that the batch does not have."""
    known = {one.id for one in operations}
    for name in asked:
        if name not in known:
            said = f"The batch has no operation {name}"
            raise InvalidDefinition("INVALID_DEFINITION", f"{field}: {said}", {"fields": {field: said}})


def levels(operations: Sequence[Operation]) -> list[list[str]]:
    """The ids by the length of the longest way to them; operations of a cycle are in none."""
    return [[operations[at].id for at in wave] for wave in _waves(_needs(operations))]


def shortest_cycle(operations: Sequence[Operation]) -> list[str]:
    """The ids of a shortest cycle, each depending on the next and the last on the first; empty without one.

    In a graph made to be hard the search ends after `MOST_STEPS`, with the shortest cycle of those found.
    """
    needs = _needs(operations)
    core = _core(needs)
    best: list[int] = []
    steps = 0
    for start in sorted(core):
        found, looked = _way_back(needs, core, start, len(best) or len(operations) + 1)
        best = found or best
        steps += looked
        if steps > MOST_STEPS:
            break
    first = best.index(min(best)) if best else 0
    return [operations[at].id for at in best[first:] + best[:first]]


def ancestors(
    operations: Sequence[Operation], ids: Iterable[str], types: Collection[str] = EVERY
) -> set[str]:
    """What these depend on, however far, by dependencies of these types; themselves included."""
    needs = {one.id: [d.id for d in one.dependencies if d.type in types] for one in operations}
    return _reached(needs, ids)


def descendants(
    operations: Sequence[Operation], ids: Iterable[str], types: Collection[str] = EVERY
) -> set[str]:
    """What depends on these, however far, by dependencies of these types; themselves included."""
    needed_by: dict[str, list[str]] = {one.id: [] for one in operations}
    for one in operations:
        for needed in one.dependencies:
            if needed.type in types and needed.id in needed_by:
                needed_by[needed.id].append(one.id)
    return _reached(needed_by, ids)


def selected(
    operations: Sequence[Operation], only: Collection[str] = (), except_: Collection[str] = ()
) -> tuple[Operation, ...]:
    """The part of the graph that was asked for; raises `InvalidDefinition` when nothing is left.

    ``only`` brings its hard ancestors along, ``except_`` takes its hard descendants away. What
    remains does not wait for what is left out, and may not name it as a target.
    """
    check_known(operations, only, "only")
    check_known(operations, except_, "except")
    if not only and not except_:
        return tuple(operations)
    kept = ancestors(operations, only, HARD) if only else {one.id for one in operations}
    kept -= descendants(operations, except_, HARD)
    if not kept:
        said = "Leaves no operation to run"
        name = "except" if except_ else "only"
        raise InvalidDefinition("INVALID_DEFINITION", f"{name}: {said}", {"fields": {name: said}})
    _check_targets(operations, kept, "except" if except_ else "only")
    return tuple(
        replace(one, dependencies=tuple(d for d in one.dependencies if d.id in kept or d.type == "optional"))
        for one in operations
        if one.id in kept
    )


def undo_order(operations: Sequence[Operation], completed: Sequence[str]) -> list[str]:
    """These ids, given in order of completion: the newest first, none before what depends on it."""
    age = {name: at for at, name in enumerate(completed)}
    needs = {one.id: [d.id for d in one.dependencies if d.id in age] for one in operations if one.id in age}
    waiting = dict.fromkeys(age, 0)
    for name in (one for needed in needs.values() for one in needed):
        waiting[name] += 1
    free = [(-age[name], name) for name, count in waiting.items() if not count]
    heapify(free)
    order = []
    while free:
        _, name = heappop(free)
        order.append(name)
        for needed in needs.get(name, ()):
            waiting[needed] -= 1
            if not waiting[needed]:
                heappush(free, (-age[needed], needed))
    return order


def _check_targets(operations: Sequence[Operation], kept: Collection[str], field: str) -> None:
    """Refuse a target that is an operation which is left out: it would be taken for a server of that name."""
    left_out = {one.id for one in operations if one.id not in kept and one.type == "server_batch"}
    for one in operations:
        missing = left_out.intersection(one.targets) if one.id in kept else set()
        if missing:
            said = f"Leaves out {min(missing)}, a target of {one.id}: leave that out too, or name its servers"
            raise InvalidDefinition("INVALID_DEFINITION", f"{field}: {said}", {"fields": {field: said}})


def _places(operations: Sequence[Operation]) -> dict[str, int]:
    places: dict[str, int] = {}
    for at, one in enumerate(operations):
        if places.setdefault(one.id, at) != at:
            said = f"operations[{at}].id: {one.id} is the id of operations[{places[one.id]}] already"
            raise InvalidDefinition("DUPLICATE_OPERATION", said, {"operation": one.id})
    return places


def _unknown(at: int, one: Operation, needed: str) -> InvalidDefinition:
    said = f"operations[{at}].dependencies: {one.id} depends on {needed}, which the batch does not have"
    return InvalidDefinition("UNKNOWN_DEPENDENCY", said, {"operation": one.id, "dependency": needed})


def _cyclic(cycle: list[str]) -> InvalidDefinition:
    shown = cycle if len(cycle) <= SHOWN else [*cycle[:SHOWN], f"{len(cycle) - SHOWN} more"]
    said = f"The dependencies are circular: {' -> '.join([*shown, cycle[0]])}"
    return InvalidDefinition("DEPENDENCY_CYCLE", said, {"cycle": cycle})


def _needs(operations: Sequence[Operation], places: Mapping[str, int] | None = None) -> list[list[int]]:
    """For each operation the places of those it depends on."""
    place_of = (places or {one.id: at for at, one in enumerate(operations)}).get
    return [
        [at for needed in one.dependencies if (at := place_of(needed.id)) is not None] for one in operations
    ]


def _waves(needs: list[list[int]]) -> Iterator[list[int]]:
    """Kahn's algorithm: what depends on nothing, then what depends on that alone, and so on."""
    needed_by: list[list[int]] = [[] for _ in needs]
    waiting = [len(needed) for needed in needs]
    for at, needed in enumerate(needs):
        for other in needed:
            needed_by[other].append(at)
    wave = [at for at, count in enumerate(waiting) if not count]
    while wave:
        yield wave
        found = []
        for at in wave:
            for dependent in needed_by[at]:
                waiting[dependent] -= 1
                if not waiting[dependent]:
                    found.append(dependent)
        wave = sorted(found)


def _core(needs: list[list[int]]) -> set[int]:
    """The nodes that cycles are among: what depends on nothing, and then on nothing else, is left out."""
    return set(range(len(needs))).difference(*_waves(needs))


def _way_back(needs: list[list[int]], core: set[int], start: int, below: int) -> tuple[list[int], int]:
    """The shortest cycle through a node, if it has fewer nodes than ``below``; and the edges looked at."""
    came: dict[int, int] = {}
    depth = {start: 0}
    queue = deque([start])
    looked = 0
    while queue:
        at = queue.popleft()
        if depth[at] + 1 >= below:
            break
        for other in needs[at]:
            looked += 1
            if other == start:
                return _path(came, start, at), looked
            if other in core and other not in depth:
                depth[other], came[other] = depth[at] + 1, at
                queue.append(other)
    return [], looked


def _path(came: dict[int, int], start: int, end: int) -> list[int]:
    path = [end]
    while path[-1] != start:
        path.append(came[path[-1]])
    return path[::-1]


def _reached(next_of: dict[str, list[str]], ids: Iterable[str]) -> set[str]:
    found = {name for name in ids if name in next_of}
    left = list(found)
    while left:
        for name in next_of[left.pop()]:
            if name in next_of and name not in found:
                found.add(name)
                left.append(name)
    return found
