"""Virtual machines as their answers need them."""

from app.api.http.context import world
from app.domain.errors import NotFound
from app.record.inventory import sources
from app.record.inventory.managed import ManagedFilters, vms
from app.record.paging import Page, Window
from app.record.session import Tx
from app.services.managed import vm_object

Row = dict[str, object]


def one(vm_id: str) -> Row:
    """The machine as the API shows it; raises `NotFound`."""

    def read(tx: Tx) -> Row | None:
        row = vms.read(tx, vm_id)
        return None if row is None else _shown(tx, row)

    found = world().db.read(read)
    if found is None:
        raise NotFound(f"There is no machine {vm_id}.")
    return found


def shown(row: Row) -> Row:
    """A row as the API shows it."""
    return world().db.read(lambda tx: _shown(tx, row))


def page(filters: ManagedFilters, window: Window) -> tuple[Page, list[Row]]:
    """A page of machines."""

    def read(tx: Tx) -> tuple[Page, list[Row]]:
        found = vms.page(tx, filters, window)
        fresh = sources.fresh(tx, "vm")
        return found, [vm_object(row, now=tx.now, fresh=fresh) for row in found.rows]

    return world().db.read(read)


def _shown(tx: Tx, row: Row) -> Row:
    return vm_object(row, now=tx.now, fresh=sources.fresh(tx, "vm"))
