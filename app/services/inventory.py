"""Resources of management clusters: their rows in the inventory, and the runs that change them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.auth.keys import Principal
from app.config import Settings
from app.domain.errors import Conflict, NotFound, QuotaExceeded
from app.domain.ids import new_id
from app.domain.ownership import object_name
from app.domain.rows.runs import RunRow
from app.engine.transitions import accept as accepting
from app.engine.transitions.accept import Order
from app.engine.transitions.journal import Message
from app.record.inventory.managed import Managed
from app.record.runs import locks
from app.record.session import Tx
from app.services import managements
from app.services.context import AppContext
from app.services.runs import accept_order, check_order, shows_itself

Row = dict[str, Any]
Started = tuple[Row, RunRow]  # The resource and its run.


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """One kind of resource: where its rows are, how many there may be, what a new one says."""

    noun: str  # First part of its types, and what details of errors call it.
    called: str  # For people.
    prefix: str  # Of its ids.
    limit: Callable[[Settings], int]  # How many there may be; 0 is no limit.
    rows: Managed
    transient: Mapping[str, str]  # The state that it shows while an action is under way.
    columns: Callable[[Tx, Mapping[str, object]], Row]  # What only this kind says.


def create(
    world: AppContext, principal: Principal, kind: Inventory, values: Mapping[str, object], **options: Any
) -> Started:
    """Take one more into the inventory and start the run that makes it."""
    resource_id, run_id = new_id(kind.prefix), new_id("run")
    order = Order(type=f"{kind.noun}.create", resource_id=resource_id, identity=values, **options)

    def work(tx: Tx) -> tuple[Started, list[Message]]:
        if not accepting.known(tx, order) and kind.rows.read(tx, resource_id) is None:
            row = _new_row(tx, kind, resource_id, values)
            _check_quota(tx, kind, kind.limit(world.settings))
            kind.rows.insert(tx, {**row, "run_id": run_id})
        return _ordered(tx, world, principal, kind, run_id, order)

    return _started(world, work)


def act(world: AppContext, principal: Principal, kind: Inventory, order: Order) -> Started:
    """Start the run that an action on a resource amounts to."""
    run_id = new_id("run")

    def work(tx: Tx) -> tuple[Started, list[Message]]:
        check_order(tx, order)
        return _ordered(tx, world, principal, kind, run_id, order)

    return _started(world, work)


def check_new(world: AppContext, kind: Inventory, values: Mapping[str, object]) -> None:
    """Refuse what `create` would refuse; nothing is stored."""

    def look(tx: Tx) -> None:
        _new_row(tx, kind, new_id(kind.prefix), values)
        _check_count(tx, kind, kind.limit(world.settings))

    world.db.read(look)


def _new_row(tx: Tx, kind: Inventory, resource_id: str, values: Mapping[str, Any]) -> Row:
    management_id = managements.meant(tx, values.get("management_id"))
    name = values.get("name") or object_name(resource_id)
    taken = kind.rows.named(tx, management_id, name)
    if taken is not None:
        raise Conflict(f"{kind.called} {taken} is called {name} in {management_id}", **{kind.noun: taken})
    return {
        "id": resource_id,
        "management_id": management_id,
        "name": name,
        "display_name": values.get("display_name"),
        "description": values.get("description"),
        "tags": list(values.get("tags") or []),
        "state": "creating",
        "version": 1,
        **kind.columns(tx, values),
    }


def _check_quota(tx: Tx, kind: Inventory, limit: int) -> None:
    """Refuse one more than there may be; nobody else counts until this transaction ends."""
    if not limit:
        return
    locks.enter(tx, f"quota/{kind.noun}")
    _check_count(tx, kind, limit)


def _check_count(tx: Tx, kind: Inventory, limit: int) -> None:
    there = kind.rows.count(tx) if limit else 0
    if limit and there >= limit:
        raise QuotaExceeded(
            f"There are {there} {kind.called}s; the quota allows {limit}", limit=limit, used=there
        )


def _ordered(
    tx: Tx, world: AppContext, principal: Principal, kind: Inventory, run_id: str, order: Order
) -> tuple[Started, list[Message]]:
    """Accept the run, and show the resource as the run will: its first step writes it."""
    j = accept_order(tx, world, run_id, order, principal)
    row = kind.rows.read(tx, str(j.run["resource_id"]))
    if row is None:
        raise NotFound(f"There is no {kind.noun} {j.run['resource_id']}")
    action = str(order.input.get("action") or order.type.partition(".")[2])
    state = row["state"] if shows_itself(j.run) else kind.transient.get(action, row["state"])
    return ({**row, "state": state}, j.run), j.messages


def _started(world: AppContext, work: Callable[[Tx], tuple[Started, list[Message]]]) -> Started:
    done, messages = world.db.write(work)
    world.publish(messages)
    return done
