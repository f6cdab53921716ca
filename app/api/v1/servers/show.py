"""Servers as their answers need them."""

from typing import Any

from app.api.http.context import world
from app.domain.errors import NotFound
from app.record import listing
from app.record.inventory import servers
from app.record.listing import ServerFilters
from app.record.paging import Page, Window
from app.record.session import Tx
from app.services import resources

Row = dict[str, Any]


def row(server_id: str) -> Row:
    """The server's row; raises `NotFound`."""
    found = world().db.read(lambda tx: servers.read_server(tx, server_id))
    if found is None:
        raise NotFound(f"There is no server {server_id}.")
    return found


def shown(row: Row) -> Row:
    """The server as the API shows it."""
    return resources.server_object(row, now=world().db.read(lambda tx: tx.now))


def page(filters: ServerFilters, window: Window) -> tuple[Page, list[Row]]:
    """A page of servers."""

    def read(tx: Tx) -> tuple[Page, list[Row]]:
        found = listing.list_servers(tx, filters, window)
        return found, [resources.server_object(row, now=tx.now) for row in found.rows]

    return world().db.read(read)
