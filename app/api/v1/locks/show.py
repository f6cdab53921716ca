"""Locks as their answers need them."""

from typing import Any

from app.api.http.context import world
from app.record import listing
from app.record.paging import Page, Window
from app.record.runs import locks, runs
from app.record.session import Tx
from app.services import resources


def page(resource: str | None, window: Window) -> tuple[Page, list[dict[str, object]]]:
    """A page of locks with the runs that hold them and those that wait."""
    return world().db.read(lambda tx: _page(tx, resource, window))


def _page(tx: Tx, resource: str | None, window: Window) -> tuple[Page, list[dict[str, object]]]:
    found = listing.list_locks(tx, resource, window)
    return found, [_shown(tx, row) for row in found.rows]


def _shown(tx: Tx, row: dict[str, Any]) -> dict[str, object]:
    holder = runs.read_run(tx, row["run_id"])
    step = listing.current_step(tx, row["run_id"])
    return resources.lock_object(row, holder, step, locks.waiters(tx, row["resource"]), now=tx.now)
