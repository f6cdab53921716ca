"""The servers that were taken from pools, by clusters and by items of batches."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert, select, update

from app.domain.ids import new_id
from app.record.session import Tx
from app.record.tables import allocation

Row = dict[str, Any]


def allocate(tx: Tx, owner_id: str, run_id: str, server: Row, image: Any, address: str | None) -> Row:
    """Let an owner, a cluster or the instance of a batch, have a server of a pool."""
    values = {
        "id": new_id("alloc"),
        "owner_id": owner_id,
        "server_id": server["id"],
        "pool_id": server["pool_id"],
        "run_id": run_id,
        "image": image,
        "address": address,
        "created_at": tx.now,
    }
    tx.execute(insert(allocation), {"tenant_id": tx.tenant, **values})
    return {**values, "provision_run": None, "release_run": None, "released_at": None}


def held_by(tx: Tx, owner_id: str, *, lock: bool = False) -> list[Row]:
    """The servers that an owner has, oldest first."""
    where = (
        allocation.c.tenant_id == tx.tenant,
        allocation.c.owner_id == owner_id,
        allocation.c.released_at.is_(None),
    )
    found = select(allocation).where(*where).order_by(allocation.c.id)
    return tx.rows(found.with_for_update() if lock else found)


def owner_of(tx: Tx, server_id: str) -> str | None:
    """Who has a server."""
    where = (
        allocation.c.tenant_id == tx.tenant,
        allocation.c.server_id == server_id,
        allocation.c.released_at.is_(None),
    )
    found: str | None = tx.value(select(allocation.c.owner_id).where(*where))
    return found


def change_allocation(tx: Tx, allocation_id: str, changes: Mapping[str, Any]) -> None:
    """Change what is known of an allocation; ``released_at`` ends it."""
    where = (allocation.c.tenant_id == tx.tenant, allocation.c.id == allocation_id)
    tx.execute(update(allocation).where(*where).values(**changes))
