"""On which servers an operation of taskservs works, and which items the operations of a batch have.

1. Where ``targets`` are given: these servers, and the servers of these operations.
2. Otherwise the servers that its dependencies make at its own provider, however far they are.
3. Otherwise the servers of its direct dependencies at any provider, with a warning.
4. Otherwise the definition is refused: no server is touched that the batch neither names nor makes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.domain.batch import words
from app.domain.batch.invalid import InvalidDefinition, too_many
from app.domain.batch.operation import Operation


@dataclass(frozen=True, slots=True)
class Target:
    """A server that taskservs are installed on."""

    server: str
    provider: str
    account: str | None
    operation: str | None  # The one that makes it; None: the server is there already.


@dataclass(frozen=True)
class Targets:
    """The servers of one operation."""

    servers: tuple[Target, ...]
    warning: str | None = None


def of(operations: Sequence[Operation]) -> dict[str, Targets]:
    """The targets of every operation of taskservs; raises `InvalidDefinition` for none or too many."""
    makers = _Makers(operations)
    found: dict[str, Targets] = {}
    total = 0
    for at, one in enumerate(operations):
        if one.type == "taskserv_batch":
            found[one.id] = makers.targets(at, one)
            total += len(one.taskservs) * len(found[one.id].servers)
            # While they are made, and not once all are: a body of 2 MB can ask for 100 million of them.
            if total > words.MOST_ITEMS:
                raise too_many("items of the batch", words.MOST_ITEMS, total)
    return found


def item_names(operation: Operation, targets: Targets | None = None) -> list[str]:
    """The names of the items: those of its servers, or ``TASKSERV@SERVER``."""
    if targets is None:
        return [one.name for one in operation.server_configs]
    return [f"{name}@{one.server}" for one in targets.servers for name in operation.taskservs]


def check(operations: Sequence[Operation]) -> None:
    """Raise `InvalidDefinition` for too many items, a name used twice at a provider, or no targets."""
    made: dict[tuple[str, str], str] = {}
    total = 0
    for one in operations:
        total += len(one.server_configs)
        for server in one.server_configs:
            _note(made, one.provider, server.name, one)
    if total > words.MOST_ITEMS:
        raise too_many("items of the batch", words.MOST_ITEMS, total)
    found = of(operations)
    pooled = {
        (one.provider, server.name)
        for one in operations
        for server in one.server_configs
        if words.pool_of(server.plan) is not None
    }
    for at, one in enumerate(operations):
        if one.id in found:
            _check_reachable(at, one, found[one.id], pooled)
            total += len(one.taskservs) * len(found[one.id].servers)
            if total > words.MOST_ITEMS:
                raise too_many("items of the batch", words.MOST_ITEMS, total)
            for target in found[one.id].servers:
                for name in one.taskservs:
                    _note(made, target.provider, f"{name}@{target.server}", one)


def _check_reachable(at: int, one: Operation, works_on: Targets, pooled: set[tuple[str, str]]) -> None:
    """Refuse taskservs on servers of pools: nothing says how to log in to what their image makes of them."""
    there = [each.server for each in works_on.servers if (each.provider, each.server) in pooled]
    if there:
        said = (
            f"{one.id} would work on {', '.join(there[:5])}, of a pool: taskservs cannot be installed there"
        )
        field = f"operations[{at}].targets"
        raise InvalidDefinition("INVALID_DEFINITION", f"{field}: {said}", {"fields": {field: said}})


def _check_items(at: int, one: Operation, servers: int) -> None:
    items = len(one.taskservs) * servers
    if items > words.MOST_ITEMS_OF_OPERATION:
        raise too_many(f"items of operations[{at}]", words.MOST_ITEMS_OF_OPERATION, items)


def _note(made: dict[tuple[str, str], str], provider: str, name: str, one: Operation) -> None:
    before = made.get((provider, name))
    if before is not None:
        other = "twice in" if before == one.id else f"in {before} as well as in"
        said = f"{name} at {provider} is {other} {one.id}; an item has one operation"
        details = {"item": name, "provider": provider, "operations": sorted({before, one.id})}
        raise InvalidDefinition("DUPLICATE_ITEM", said, details)
    made[provider, name] = one.id


class _Makers:
    """The operations that make servers, and which of them each operation depends on, as bits of a number."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self._makers = [one for one in operations if one.type == "server_batch"]
        self._bit = {one.id: 1 << at for at, one in enumerate(self._makers)}
        self._by_server: dict[str, list[Operation]] = {}
        self._at = dict.fromkeys(words.PROVIDERS, 0)
        for maker in self._makers:
            self._at[maker.provider] |= self._bit[maker.id]
            for server in maker.server_configs:
                self._by_server.setdefault(server.name, []).append(maker)
        self._behind = _behind(operations, self._bit)

    def targets(self, at: int, one: Operation) -> Targets:
        if one.targets:
            return Targets(tuple(self._named(at, one)))
        behind = self._behind[one.id] & self._at[one.provider]
        warning = None
        if not behind:
            for needed in one.dependencies:
                behind |= self._bit.get(needed.id, 0)
            warning = (
                f"{one.id}: no operation before it makes servers at {one.provider}; "
                f"it works on the servers of its direct dependencies"
            )
        if not behind:
            said = (
                f"operations[{at}]: {one.id} depends on no operation that makes servers; "
                "give it targets, or such a dependency"
            )
            raise InvalidDefinition("NO_TARGETS", said, {"operation": one.id})
        makers = [self._makers[bit] for bit in _bits(behind)]
        _check_items(at, one, sum(len(maker.server_configs) for maker in makers))
        return Targets(tuple(target for maker in makers for target in _servers(maker)), warning)

    def _named(self, at: int, one: Operation) -> Iterator[Target]:
        seen = set()
        for place, name in enumerate(one.targets):
            for target in self._of_name(name, one):
                if target.operation and not self._bit[target.operation] & self._behind[one.id]:
                    said = f"{name} is made by {target.operation}, on which {one.id} does not depend"
                    field = f"operations[{at}].targets[{place}]"
                    raise InvalidDefinition(
                        "INVALID_DEFINITION", f"{field}: {said}", {"fields": {field: said}}
                    )
                if target not in seen:
                    seen.add(target)
                    _check_items(at, one, len(seen))
                    yield target

    def _of_name(self, name: str, one: Operation) -> Iterator[Target]:
        """An operation, a server of the batch (the own provider first), or a server that is there already."""
        if name in self._bit:
            yield from _servers(self._makers[self._bit[name].bit_length() - 1])
            return
        makers = self._by_server.get(name, [])
        own = [maker for maker in makers if maker.provider == one.provider]
        for maker in own or makers:
            yield Target(name, maker.provider, maker.account, maker.id)
        if not makers:
            yield Target(name, one.provider, one.account, None)


def _behind(operations: Sequence[Operation], bit: dict[str, int]) -> dict[str, int]:
    """For each operation the makers that it depends on, however far; the graph has no cycle."""
    behind: dict[str, int] = {}
    by_id = {one.id: one for one in operations}
    for first in operations:
        left = [first]
        while left:
            one = left[-1]
            if one.id in behind:
                left.pop()
                continue
            needed = [d.id for d in one.dependencies if d.id in by_id]
            open_ = [by_id[name] for name in needed if name not in behind]
            if open_:
                left.extend(open_)
                continue
            found = 0
            for name in needed:
                found |= behind[name] | bit.get(name, 0)
            behind[one.id] = found
            left.pop()
    return behind


def _bits(number: int) -> Iterator[int]:
    """The places of the bits that are set, the lowest first."""
    while number:
        lowest = number & -number
        yield lowest.bit_length() - 1
        number ^= lowest


def _servers(maker: Operation) -> Iterator[Target]:
    for server in maker.server_configs:
        yield Target(server.name, maker.provider, maker.account, maker.id)
