"""Pools as their answers need them."""

from typing import Any

from app.api.http.context import world
from app.domain.errors import NotFound
from app.record import listing
from app.record.paging import Page, Window
from app.record.session import Tx
from app.services import resources

Row = dict[str, Any]


def row(pool_id: str) -> Row:
    """The pool's row; raises `NotFound`."""
    found = world().db.read(lambda tx: listing.read_pool(tx, pool_id))
    if found is None:
        raise NotFound(f"There is no pool {pool_id}.")
    return found


def shown(row: Row) -> Row:
    """A pool with its capacity."""
    counts = world().db.read(lambda tx: listing.pool_counts(tx, [row["id"]]))
    return resources.pool_object(row, counts[row["id"]])


def page(window: Window) -> tuple[Page, list[Row]]:
    """A page of pools with their capacities."""
    return world().db.read(lambda tx: _page(tx, window))


def _page(tx: Tx, window: Window) -> tuple[Page, list[Row]]:
    found = listing.list_pools(tx, window)
    counts = listing.pool_counts(tx, [pool["id"] for pool in found.rows])
    return found, [resources.pool_object(pool, counts[pool["id"]]) for pool in found.rows]
