"""Servers and pools: the inventory that requests and steps read and change."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, insert, select, update

from app.domain.ids import new_id
from app.record.listing import is_free, pool_counts
from app.record.session import Tx
from app.record.tables import pool, server


def insert_server(tx: Tx, values: Mapping[str, Any]) -> bool:
    """Store a new server, unless another one has its controller, or gets it at this moment."""
    row = {"tenant_id": tx.tenant, "created_at": tx.now, "updated_at": tx.now, **values}
    stored = tx.insert(server).values(row).on_conflict_do_nothing().returning(server.c.id)
    return tx.value(stored) is not None


def read_server(tx: Tx, server_id: str, *, lock: bool = False) -> dict[str, Any] | None:
    """A server, locked until the transaction ends when asked for."""
    found = select(server).where(server.c.tenant_id == tx.tenant, server.c.id == server_id)
    return tx.row(found.with_for_update() if lock else found)


def change_server(tx: Tx, server_id: str, changes: Mapping[str, Any]) -> None:
    """Change a server; its version grows."""
    where = (server.c.tenant_id == tx.tenant, server.c.id == server_id)
    values = {**changes, "version": server.c.version + 1, "updated_at": tx.now}
    tx.execute(update(server).where(*where).values(**values))


def server_at(tx: Tx, bmc_address: str) -> str | None:
    """The server whose controller has this address and that is still in the inventory."""
    where = (
        server.c.tenant_id == tx.tenant,
        server.c.bmc_address == bmc_address,
        server.c.state != "decommissioned",
    )
    found: str | None = tx.value(select(server.c.id).where(*where))
    return found


def free_in_pool(tx: Tx, pool_id: str, count: int) -> list[dict[str, Any]]:
    """Up to ``count`` servers of a pool that nobody uses, locked; the longest unchanged first."""
    where = (server.c.tenant_id == tx.tenant, server.c.pool_id == pool_id, is_free())
    found = select(server).where(*where).order_by(server.c.updated_at, server.c.id).limit(count)
    # A row that somebody holds just now is passed over: a poll or a run may keep it for long.
    return tx.rows(found.with_for_update(skip_locked=True))


def sealed_servers(tx: Tx) -> list[dict[str, Any]]:
    """Every server with a sealed credential, for rotation."""
    columns = (server.c.id, server.c.credential, server.c.credential_version)
    return tx.rows(select(*columns).where(server.c.tenant_id == tx.tenant, server.c.credential.is_not(None)))


def reseal(tx: Tx, server_id: str, version: int, credential: str) -> bool:
    """Replace a sealed credential unless it was changed meanwhile."""
    where = (
        server.c.tenant_id == tx.tenant,
        server.c.id == server_id,
        server.c.credential_version == version,
    )
    return tx.execute(update(server).where(*where).values(credential=credential)).rowcount == 1


def insert_pool(tx: Tx, name: str, labels: Mapping[str, str]) -> str:
    """Store a new pool."""
    pool_id = new_id("pool")
    values = {"id": pool_id, "name": name, "labels": dict(labels), "created_at": tx.now, "updated_at": tx.now}
    tx.execute(insert(pool), {"tenant_id": tx.tenant, "version": 1, **values})
    return pool_id


def read_pool(tx: Tx, pool_id: str, *, lock: bool = False) -> dict[str, Any] | None:
    """A pool with its capacity: how many servers it has and how many are free."""
    found = select(pool).where(pool.c.tenant_id == tx.tenant, pool.c.id == pool_id)
    row = tx.row(found.with_for_update() if lock else found)
    return None if row is None else {**row, **pool_counts(tx, [pool_id])[pool_id]}


def pool_named(tx: Tx, name: str) -> str | None:
    """The pool of this name."""
    found: str | None = tx.value(select(pool.c.id).where(pool.c.tenant_id == tx.tenant, pool.c.name == name))
    return found


def pool_meant(tx: Tx, name: str) -> str | None:
    """The pool of this id, or else of this name."""
    return name if read_pool(tx, name) is not None else pool_named(tx, name)


def change_pool(tx: Tx, pool_id: str, changes: Mapping[str, Any]) -> None:
    """Change a pool; its version grows."""
    values = {**changes, "version": pool.c.version + 1, "updated_at": tx.now}
    tx.execute(update(pool).where(pool.c.tenant_id == tx.tenant, pool.c.id == pool_id).values(**values))


def delete_pool(tx: Tx, pool_id: str) -> None:
    """Delete a pool."""
    tx.execute(delete(pool).where(pool.c.tenant_id == tx.tenant, pool.c.id == pool_id))
