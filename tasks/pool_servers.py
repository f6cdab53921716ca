"""A server of a pool as the server that an item of a batch asks for (plan ``pool/NAME``).

What an item has is an allocation whose owner is its instance in the inventory: it is found by that, and never
by the id of the server alone, which somebody else may have had before or have by now.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.domain.batch.words import pool_of
from app.domain.errors import Permanent
from app.domain.rows.batches import InstanceRow
from app.providers.compute import Access, Machine, Plan, Price, Spec, Whoami
from app.providers.compute.values import State
from app.record.batches.effects import INSTANCES
from app.record.inventory import allocations, servers
from app.record.session import Tx
from tasks import pools
from tasks.context import Context

Row = dict[str, Any]


class UnknownPool(Permanent):
    """There is no pool of this name any more."""

    code = "UNKNOWN_POOL"
    nothing_happened = True


@dataclass(frozen=True)
class PoolServers:
    """See `app.providers.compute.Compute`: the one server that an item of an account has of a pool."""

    ctx: Context
    account: str
    item: str

    @property
    def access(self) -> Access:
        """Its words are ours."""
        return Access(provider="local", account=self.account)

    @property
    def lists_late(self) -> bool:
        """What was taken is there."""
        return False

    def whoami(self) -> Whoami:
        """The account."""
        return Whoami(name=self.account, clock_skew_ms=0)

    def plans(self) -> list[Plan]:
        """Pools are no sizes."""
        return []

    def zones(self) -> list[str]:
        """Any zone will do."""
        return []

    def prices(self) -> list[Price]:
        """They cost nothing."""
        return []

    def find(
        self, *, token: str | None = None, name: str | None = None, batch: str | None = None
    ) -> list[Machine]:
        """The server that the instance with this token has; there are no servers that no batch took."""
        found = self.ctx.db.read(self._mine)
        if found is None or token is None or found[0]["token"] != token:
            return []
        return [_machine(*found, "creating")]

    def create(self, spec: Spec, token: str) -> Machine:
        """Take a free server of the pool, unless there is one already, and begin its installation."""
        owner, row = self.ctx.db.write(lambda tx: self._take(tx, spec))
        pools.install(self.ctx, row)
        return _machine(owner, row, "creating")

    def look(self, id_: str) -> Machine | None:
        """The server as its installation stands, which is begun if it has not been."""
        found = self.ctx.db.read(self._mine)
        if found is None or found[1]["server_id"] != id_:
            return None
        owner, row = found
        run = pools.run_of(self.ctx, row["provision_run"])
        if run is None and not pools.stands(self.ctx, row):
            pools.install(self.ctx, row)
        elif run is None or run["status"] == "completed":
            return _machine(owner, row, "running")
        elif run["completed_at"] is not None:
            told = f"installation {run['id']}: {run['error_message'] or 'it was cancelled'}"
            return _machine(owner, row, "failed", told)
        return _machine(owner, row, "creating")

    def remove(self, id_: str) -> bool:
        """Bring the server nearer to where nobody has it, wiped; true once it is free."""
        found = self.ctx.db.read(self._mine)
        return found is None or found[1]["server_id"] != id_ or pools.leave(self.ctx, found[1]) is None

    def close(self) -> None:
        """There is nothing to let go of."""

    def _mine(self, tx: Tx) -> tuple[InstanceRow, Row] | None:
        owner = INSTANCES.live(tx, provider="local", account=self.account, name=self.item)
        held = [] if owner is None else allocations.held_by(tx, owner["id"])
        return (owner, held[0]) if owner is not None and held else None

    def _take(self, tx: Tx, spec: Spec) -> tuple[InstanceRow, Row]:
        found = self._mine(tx)
        if found is not None:
            return found
        owner = INSTANCES.live(tx, provider="local", account=self.account, name=self.item)
        assert owner is not None  # The intent is in the inventory before anything is ordered.
        pool_id = servers.pool_meant(tx, pool_of(spec.plan) or "")
        if pool_id is None:
            raise UnknownPool(f"There is no pool {pool_of(spec.plan)}")
        (row,) = pools.take(tx, self.ctx, owner["id"], pool_id, 1, _image(spec))
        return owner, row


def _image(spec: Spec) -> Mapping[str, object]:
    return {"checksumType" if name == "checksum_type" else name: told for name, told in spec.install.items()}


def _machine(owner: InstanceRow, row: Row, state: State, problem: str = "") -> Machine:
    return Machine(
        id=row["server_id"],
        name=owner["name"],
        plan=owner["plan"],
        zone=owner["zone"],
        state=state,
        token=owner["token"],
        batch=owner["lineage"],
        created_at=row["created_at"],
        problem=problem,
    )
