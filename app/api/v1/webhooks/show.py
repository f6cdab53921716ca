"""Webhooks and deliveries as their answers need them."""

from app.api.http.context import world
from app.record import listing
from app.record.paging import Page, Window
from app.record.session import Tx
from app.services import resources


def page(window: Window) -> Page:
    """A page of endpoints."""
    return world().db.read(lambda tx: listing.list_webhooks(tx, window))


def deliveries(webhook_id: str, status: str | None, window: Window) -> tuple[Page, list[dict[str, object]]]:
    """A page of the deliveries of an endpoint with their attempts."""
    return world().db.read(lambda tx: _deliveries(tx, webhook_id, status, window))


def _deliveries(
    tx: Tx, webhook_id: str, status: str | None, window: Window
) -> tuple[Page, list[dict[str, object]]]:
    found = listing.list_deliveries(tx, webhook_id, status, window)
    attempts = listing.attempts_of(tx, [row["id"] for row in found.rows])
    return found, [resources.delivery_object(row, attempts[row["id"]]) for row in found.rows]
