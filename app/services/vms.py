"""Virtual machines: made, switched and deleted. Every change of the world is a run."""

from collections.abc import Mapping
from typing import Any

from app.auth.keys import Principal
from app.domain import vms as states
from app.domain.errors import Conflict
from app.domain.ids import new_id
from app.domain.ownership import object_name
from app.engine import accept as accepting
from app.engine.accept import Order
from app.record import vms
from app.record.session import Tx
from app.services import managements
from app.services.ordering import Started, check_quota, ordered, started
from app.services.runs import check_order
from app.services.world import World

Row = dict[str, Any]
SAID = ("display_name", "description", "run_strategy", "content")


def create(world: World, principal: Principal, values: Mapping[str, Any], **options: Any) -> Started:
    """Take a machine into the inventory and start `vm.create`."""
    vm_id, run_id = new_id("vm"), new_id("run")
    order = Order(type="vm.create", resource_id=vm_id, identity=values, **options)

    def work(tx: Tx) -> Any:
        if not accepting.known(tx, order) and vms.read_vm(tx, vm_id) is None:
            row = _new_row(tx, vm_id, values)
            check_quota(tx, "machines", vms.count_vms, world.settings.quota_vms)
            vms.insert_vm(tx, {**row, "run_id": run_id})
        return ordered(tx, world, run_id, order, principal, vms.read_vm, states.TRANSIENT)

    return started(world, work)


def act(
    world: World, principal: Principal, vm_id: str, action: str, given: Mapping[str, Any], **options: Any
) -> Started:
    """Start the run that switches or deletes a machine."""
    run_id = new_id("run")
    order = order_of(vm_id, action, given, **options)

    def work(tx: Tx) -> Any:
        check_order(tx, order)
        return ordered(tx, world, run_id, order, principal, vms.read_vm, states.TRANSIENT)

    return started(world, work)


def order_of(vm_id: str, action: str, given: Mapping[str, Any], **options: Any) -> Order:
    """The order that an action on a machine amounts to."""
    if action in states.POWER:
        return Order(type="vm.power", input={**given, "action": action}, resource_id=vm_id, **options)
    return Order(type=f"vm.{action}", input=dict(given), resource_id=vm_id, **options)


def check_new(world: World, values: Mapping[str, Any]) -> None:
    """Refuse what `create` would refuse; nothing is stored."""
    world.db.read(lambda tx: _new_row(tx, new_id("vm"), values))


def _new_row(tx: Tx, vm_id: str, values: Mapping[str, Any]) -> Row:
    management_id = managements.meant(tx, values.get("management_id"))
    name = values.get("name") or object_name(vm_id)
    taken = vms.vm_named(tx, management_id, name)
    if taken is not None:
        raise Conflict(f"machine {taken} is called {name} in {management_id}", vm=taken)
    return {
        "id": vm_id,
        "management_id": management_id,
        "name": name,
        **{column: values.get(column) for column in SAID},
        "tags": list(values.get("tags") or []),
        "state": "creating",
        "version": 1,
    }
