"""Runs whose resource is new with them, started by their type: their input is the body of the resource.

`POST /v1/workflows/runs` with ``{"type": "server.register", "input": {…}}`` does what `POST /v1/servers` does
with the same members. With a `resourceId` it repeats the first run of a resource that is known.
"""

from collections.abc import Callable, Mapping
from typing import Any

from marshmallow import Schema, ValidationError

from app.api.http import orders
from app.api.http.context import principal, world
from app.api.http.envelope import Answer
from app.api.http.schemas import flattened
from app.api.v1.clusters.schemas import ClusterBody
from app.api.v1.servers import orders as machines
from app.api.v1.servers.schemas import RegisterBody
from app.api.v1.vms.orders import content_of
from app.api.v1.vms.schemas import VmBody
from app.domain.errors import ValidationFailed
from app.domain.ids import new_id
from app.domain.rows.runs import RunRow
from app.services import authority, inventory, present, runs, servers
from app.services.clusters import CLUSTERS
from app.services.inventory import Inventory
from app.services.runs import Order
from app.services.vms import VMS

Row = dict[str, Any]
INPUTS: Mapping[str, Schema] = {
    "server.register": RegisterBody(exclude=machines.ABOUT_RUN),
    "cluster.create": ClusterBody(exclude=orders.ABOUT_RUN),
    "vm.create": VmBody(exclude=orders.ABOUT_RUN),
}


def is_first(body: Mapping[str, object]) -> bool:
    """Whether an order is for a resource that is new with it."""
    return body["type"] in INPUTS and "resource_id" not in body


def start(body: Row, about: Row) -> RunRow:
    """Take the resource into the inventory and start its run; raises `ValidationFailed` on ``input.…``."""
    values = _checked(body)
    return STARTS[body["type"]](values, about)


def plan(body: Row, about: Row) -> Answer:
    """What that would do; nothing is stored, so the id of the resource is a passing one."""
    values = _checked(body)
    if body["type"] == "server.register":
        servers.bmc_address(world(), values["bmc_address"], values["protocol"])
    else:
        inventory.check_new(world(), KINDS[body["type"]], _values(body["type"], values))
    prefix = {"server.register": "srv", "cluster.create": "cls", "vm.create": "vm"}[body["type"]]
    order = Order(type=body["type"], resource_id=new_id(prefix), **about)
    return present.plan_object(runs.preview(world(), principal(), order))


def _checked(body: Row) -> Row:
    authority.check(principal(), body["type"])
    try:
        found: Row = INPUTS[body["type"]].load(body["input"])
    except ValidationError as error:
        raise ValidationFailed.many(flattened(error.messages, "input")) from None
    return found


def _values(type_name: str, values: Row) -> Row:
    """What the inventory keeps, as the door of the resource spells it."""
    if type_name == "cluster.create":
        return {**values, "node_pools": orders.spelled(values.get("node_pools") or [])}
    return content_of(values)


def _registered(values: Row, about: Row) -> RunRow:
    return servers.register(world(), principal(), values, **about)[1]


def _created(type_name: str) -> Callable[[Row, Row], RunRow]:
    def create(values: Row, about: Row) -> RunRow:
        kept = _values(type_name, values)
        return inventory.create(world(), principal(), KINDS[type_name], kept, **about)[1]

    return create


KINDS: Mapping[str, Inventory] = {"cluster.create": CLUSTERS, "vm.create": VMS}
STARTS: Mapping[str, Callable[[Row, Row], RunRow]] = {
    "server.register": _registered,
    "cluster.create": _created("cluster.create"),
    "vm.create": _created("vm.create"),
}
