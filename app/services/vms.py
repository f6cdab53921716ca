"""Virtual machines in the inventory, and what the actions on them order."""

from collections.abc import Mapping
from typing import Any

from app.domain import vms as states
from app.engine.transitions.accept import Order
from app.record.inventory.managed import vms
from app.services.inventory import Inventory


def order_of(vm_id: str, action: str, given: Mapping[str, object], **options: Any) -> Order:
    """The order that an action on a machine amounts to."""
    if action in states.POWER:
        return Order(type="vm.power", input={**given, "action": action}, resource_id=vm_id, **options)
    return Order(type=f"vm.{action}", input=dict(given), resource_id=vm_id, **options)


VMS = Inventory(
    noun="vm",
    called="machine",
    prefix="vm",
    limit=lambda settings: settings.quota_vms,
    rows=vms,
    transient=states.TRANSIENT,
    columns=lambda _tx, values: {column: values.get(column) for column in ("run_strategy", "content")},
)
