"""Virtual machines (contracts/runs.rst#virtual-machines)."""

from collections.abc import Mapping
from typing import Any

from app.api.http import orders, paging
from app.api.http.envelope import Answer
from app.api.http.family import Family
from app.api.v1 import examples
from app.api.v1.runs.schemas import PlanShape, StartQuery
from app.api.v1.vms import show
from app.api.v1.vms.orders import content_of
from app.api.v1.vms.schemas import VmActionBody, VmBody, VmDeleteQuery, VmQuery, VmShape
from app.record.inventory.managed import ManagedFilters
from app.services.vms import VMS, order_of

vms = Family("vms", "Virtual machines: inventory, and runs that work on them.")
PATH = "/v1/vms"
ONE = f"{PATH}/<vm_id>"
WANTED = {
    "name": "web-1",
    "cpus": 2,
    "memoryMb": 4096,
    "disks": [{"source": "docker://quay.io/containerdisks/debian:12", "boot": True}],
}
PLAN = {**examples.PLAN, "type": "vm.power", "resource": f"vm/{examples.VM_ID}"}


@vms.serve("GET", PATH, "listVms", scope="servers:read", errors=(404, 409))
@vms.arguments(VmQuery, location="query")
@vms.response(200, VmShape(many=True), example=[examples.VM])
def list_vms(query: dict[str, Any]) -> Answer:
    """Machines, newest first, as they were last seen; deleted ones only when that state is asked for."""
    asked = orders.without(query, (*paging.POSITION, "tag"))
    found, shown = show.page(ManagedFilters(**asked, tags=tuple(query.get("tag", ()))), paging.window(query))
    return paging.answer(query, found, shown)


@vms.serve("POST", PATH, "createVm", scope="servers:write", errors=(404,))
@vms.arguments(StartQuery, location="query")
@vms.arguments(VmBody, example=WANTED)
@vms.also(200, PlanShape, example=PLAN, description="The plan, when dryRun is true.")
@vms.response(202, VmShape, example={**examples.VM, "state": "creating"})
def create_vm(query: Mapping[str, object], body: Mapping[str, object]) -> Answer:
    """Make a machine and start it."""
    return orders.create(VMS, content_of(body), orders.options(body, query), query, show.shown)


@vms.serve("GET", ONE, "getVm", scope="servers:read")
@vms.response(200, VmShape, example=examples.VM)
def get_vm(vm_id: str) -> Answer:
    """One machine as it was last seen, how long ago that was, and the actions that its state allows."""
    return show.one(vm_id)


@vms.serve("POST", f"{ONE}/actions", "actOnVm", scope="servers:write")
@vms.arguments(StartQuery, location="query")
@vms.arguments(VmActionBody, example={"action": "restart"})
@vms.also(200, PlanShape, example=PLAN, description="The plan, when dryRun is true.")
@vms.response(202, VmShape, example={**examples.VM, "state": "starting"})
def act_on_vm(query: dict[str, object], body: dict[str, Any], vm_id: str) -> Answer:
    """Start, stop, restart, pause or unpause a machine; its state decides what is allowed."""
    return _act(vm_id, body.pop("action"), query, body)


@vms.serve("DELETE", ONE, "deleteVm", scope="servers:write", errors=(409,))
@vms.arguments(VmDeleteQuery, location="query")
@vms.also(200, PlanShape, example=PLAN, description="The plan, when dryRun is true.")
@vms.response(202, VmShape, example={**examples.VM, "state": "deleting"})
def delete_vm(query: Mapping[str, object], vm_id: str) -> Answer:
    """Stop a machine and delete it."""
    return _act(vm_id, "delete", query, {"force": query["force"]})


def _act(vm_id: str, action: str, query: Mapping[str, object], body: Mapping[str, object]) -> Answer:
    given, about = orders.of_action(body, query)
    return orders.act(VMS, order_of(vm_id, action, given, **about), query, show.shown)
