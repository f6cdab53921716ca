"""The pools of a batch: a check that they exist, and their free servers for a dry run."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app.domain.batch.invalid import InvalidDefinition
from app.domain.batch.operation import Operation
from app.domain.batch.words import pool_of
from app.record.inventory import servers
from app.record.session import Tx

Item = Mapping[str, Any]


def check(tx: Tx, operations: Sequence[Operation]) -> None:
    """Raise `InvalidDefinition` when an operation names a pool that does not exist."""
    asked = {
        name: one.id
        for one in operations
        for server in one.server_configs
        if (name := pool_of(server.plan)) is not None
    }
    for name, operation in sorted(asked.items()):
        if servers.pool_meant(tx, name) is None:
            message = f"{operation}: there is no pool {name}; windlass pool list shows those there are"
            raise InvalidDefinition("UNKNOWN_POOL", message, {"operation": operation, "pool": name})


class FreeServers:
    """The free servers of the pools in a plan, assigned in the order of its items."""

    def __init__(self, tx: Tx, items: Iterable[Item]) -> None:
        self._free: dict[str, int] = {}
        self._reasons: dict[str, str] = {}
        for name in {pool_of(item["plan"]) for item in items if "plan" in item} - {None}:
            pool_id = servers.pool_meant(tx, str(name))
            pool = servers.read_pool(tx, pool_id) if pool_id else None
            self._free[str(name)] = pool["free"] if pool else 0
            self._reasons[str(name)] = _reason(pool, str(name))

    def action(self, item: Item) -> tuple[str, str]:
        """Assign one more server of the item's pool: ``create`` or ``conflict``, and the reason."""
        name = pool_of(item["plan"]) or ""
        self._free[name] -= 1
        return "create" if self._free[name] >= 0 else "conflict", self._reasons[name]


def _reason(pool: Mapping[str, object] | None, name: str) -> str:
    if pool is None:
        return f"there is no pool {name}"
    return f"{pool['free']} of {pool['total']} servers of the pool {pool['name']} are free"
