"""Clusters as their answers need them."""

from collections.abc import Mapping
from typing import Any

from app.api.http.context import world
from app.domain.errors import NotFound
from app.record.inventory import allocations, sources
from app.record.inventory.managed import ManagedFilters, clusters
from app.record.paging import Page, Window
from app.record.session import Tx
from app.services.managed import cluster_object

Row = dict[str, Any]


def one(cluster_id: str) -> Row:
    """The cluster as the API shows it; raises `NotFound`."""

    def read(tx: Tx) -> Row | None:
        row = clusters.read(tx, cluster_id)
        return None if row is None else _shown(tx, row, sources.fresh(tx, "cluster"))

    found = world().db.read(read)
    if found is None:
        raise NotFound(f"There is no cluster {cluster_id}.")
    return found


def shown(row: Row) -> Row:
    """A row as the API shows it."""
    return world().db.read(lambda tx: _shown(tx, row, sources.fresh(tx, "cluster")))


def page(filters: ManagedFilters, window: Window) -> tuple[Page, list[Row]]:
    """A page of clusters."""

    def read(tx: Tx) -> tuple[Page, list[Row]]:
        found = clusters.page(tx, filters, window)
        fresh = sources.fresh(tx, "cluster")
        return found, [_shown(tx, row, fresh) for row in found.rows]

    return world().db.read(read)


def _shown(tx: Tx, row: Row, fresh: Mapping[str, int]) -> Row:
    taken = allocations.held_by(tx, row["id"]) if row["node_pools"] else []
    return cluster_object(row, [one["server_id"] for one in taken], now=tx.now, fresh=fresh)
