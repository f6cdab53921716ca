"""Management clusters, clusters, and the servers that clusters took from pools."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, insert, select, update

from app.domain.ids import new_id
from app.record import managed
from app.record.managed import ManagedFilters
from app.record.paging import Page, Window, page
from app.record.session import Tx
from app.record.tables import allocation, cluster, management

Row = dict[str, Any]


def insert_cluster(tx: Tx, values: Mapping[str, Any]) -> None:
    """Store a new cluster."""
    managed.insert_row(tx, cluster, values)


def read_cluster(tx: Tx, cluster_id: str, *, lock: bool = False) -> Row | None:
    """A cluster, locked until the transaction ends when asked for."""
    return managed.read_row(tx, cluster, cluster_id, lock=lock)


def change_cluster(tx: Tx, cluster_id: str, changes: Mapping[str, Any]) -> None:
    """Change a cluster; its version grows."""
    managed.change_row(tx, cluster, cluster_id, changes)


def note_seen(tx: Tx, cluster_id: str, *, uid: str, version: str, facts: Mapping[str, Any]) -> None:
    """Keep what was just seen of a cluster's deployment."""
    managed.note_seen(tx, cluster, cluster_id, uid=uid, version=version, facts=facts)


def note_gone(tx: Tx, cluster_id: str) -> None:
    """The cluster's deployment is there no longer."""
    managed.note_gone(tx, cluster, cluster_id)


def cluster_named(tx: Tx, management_id: str, name: str) -> str | None:
    """Which cluster has this name in a management cluster?"""
    return managed.named(tx, cluster, management_id, name)


def count_clusters(tx: Tx, management_id: str | None = None) -> int:
    """How many clusters are there?"""
    return managed.count(tx, cluster, management_id)


def list_clusters(tx: Tx, filters: ManagedFilters, window: Window, template: str | None = None) -> Page:
    """Which clusters are there?"""
    more = [] if template is None else [cluster.c.template == template]
    return managed.list_rows(tx, cluster, filters, window, more)


def insert_management(tx: Tx, values: Mapping[str, Any]) -> None:
    """Store a new management cluster."""
    managed.insert_row(tx, management, values)


def read_management(tx: Tx, management_id: str, *, lock: bool = False) -> Row | None:
    """A management cluster, locked until the transaction ends when asked for."""
    return managed.read_row(tx, management, management_id, lock=lock)


def management_named(tx: Tx, name: str) -> str | None:
    """The management cluster of this name."""
    where = (management.c.tenant_id == tx.tenant, management.c.name == name)
    found: str | None = tx.value(select(management.c.id).where(*where))
    return found


def only_management(tx: Tx) -> str | None:
    """The management cluster that is meant when none is named: the only one."""
    found = tx.rows(select(management.c.id).where(management.c.tenant_id == tx.tenant).limit(2))
    return str(found[0]["id"]) if len(found) == 1 else None


def change_management(tx: Tx, management_id: str, changes: Mapping[str, Any]) -> None:
    """Change a management cluster; its version grows."""
    managed.change_row(tx, management, management_id, changes)


def delete_management(tx: Tx, management_id: str) -> None:
    """Forget a management cluster."""
    where = (management.c.tenant_id == tx.tenant, management.c.id == management_id)
    tx.execute(delete(management).where(*where))


def list_managements(tx: Tx, window: Window) -> Page:
    """Which management clusters are there?"""
    return page(tx, management, [management.c.tenant_id == tx.tenant], window)


def sealed_managements(tx: Tx) -> list[Row]:
    """Every management cluster with a sealed access, for rotation."""
    columns = (management.c.id, management.c.access, management.c.access_version)
    where = (management.c.tenant_id == tx.tenant, management.c.access.is_not(None))
    return tx.rows(select(*columns).where(*where))


def reseal(tx: Tx, management_id: str, version: int, access: str) -> bool:
    """Replace a sealed access unless it was changed meanwhile."""
    where = (
        management.c.tenant_id == tx.tenant,
        management.c.id == management_id,
        management.c.access_version == version,
    )
    return tx.execute(update(management).where(*where).values(access=access)).rowcount == 1


def allocate(tx: Tx, cluster_id: str, run_id: str, server: Row, image: Any, address: str) -> str:
    """Let a cluster have a server of a pool."""
    values = {
        "id": new_id("alloc"),
        "cluster_id": cluster_id,
        "server_id": server["id"],
        "pool_id": server["pool_id"],
        "run_id": run_id,
        "image": image,
        "address": address,
        "created_at": tx.now,
    }
    tx.execute(insert(allocation), {"tenant_id": tx.tenant, **values})
    return str(values["id"])


def allocations(tx: Tx, cluster_id: str, *, lock: bool = False) -> list[Row]:
    """The servers that a cluster has, oldest first."""
    where = (
        allocation.c.tenant_id == tx.tenant,
        allocation.c.cluster_id == cluster_id,
        allocation.c.released_at.is_(None),
    )
    found = select(allocation).where(*where).order_by(allocation.c.id)
    return tx.rows(found.with_for_update() if lock else found)


def cluster_of(tx: Tx, server_id: str) -> str | None:
    """The cluster that has a server."""
    where = (
        allocation.c.tenant_id == tx.tenant,
        allocation.c.server_id == server_id,
        allocation.c.released_at.is_(None),
    )
    found: str | None = tx.value(select(allocation.c.cluster_id).where(*where))
    return found


def change_allocation(tx: Tx, allocation_id: str, changes: Mapping[str, Any]) -> None:
    """Change what is known of an allocation; ``released_at`` ends it."""
    where = (allocation.c.tenant_id == tx.tenant, allocation.c.id == allocation_id)
    tx.execute(update(allocation).where(*where).values(**changes))
