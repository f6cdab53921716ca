"""Whether a run may begin: its type, the state of its resource, what can be told without asking the world.

1. The type is not paused.
2. A request that is known under its idempotency key passes: its answer is its run, whatever that did since.
3. A resource that somebody has locked passes: the lock decides, and its refusal names the holder.
4. Otherwise the state of the resource has to allow the action, and a pool to have the servers that are
   wanted.

Nothing is locked here, so none of it is a promise. What has to hold is checked again where it is taken: the
resource by its lock (`transitions.locks`), servers of a pool by the run that allocates them.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from app.domain import clusters as cluster_states
from app.domain import servers as server_states
from app.domain import vms as vm_states
from app.domain.clusters import Unscalable
from app.domain.errors import Conflict, InvalidStateTransition, NotFound, PoolCapacityExceeded
from app.engine.transitions import accept as accepting
from app.engine.transitions.accept import Order
from app.record.batches.effects import INSTANCES
from app.record.inventory import allocations, servers
from app.record.inventory.managed import clusters, vms
from app.record.listing import pool_counts
from app.record.runs import locks, runs
from app.record.service import paused_types
from app.record.session import Tx
from chains import catalogue

Row = dict[str, Any]

GONE = ("decommissioned", "deleted")
# Types whose resource is new with them; ordered by name they are a repetition, for a resource that is known.
FIRST = frozenset({"server.register", "cluster.create", "vm.create"})


def check_type(tx: Tx, name: str) -> None:
    """Refuse a type that an operator has paused; raises `Conflict`."""
    paused = paused_types.paused(tx).get(name)
    if paused is not None:
        raise Conflict(f"{name} is paused: {paused['reason'] or 'no reason given'}", reason="type_paused")


def check_known(tx: Tx, order: Order) -> None:
    """Refuse an order for a resource that is there already, as `check_type` and `check` do."""
    kind = catalogue.lookup(order.type)
    check_type(tx, kind.name)
    check(tx, order, kind.resource)


def check(tx: Tx, order: Order, resource: str | None) -> None:
    """Refuse an order that the state of its resource does not allow; raises `Rejected` errors."""
    judge = JUDGES.get(resource or "")
    if judge is None or order.resource_id is None or accepting.known(tx, order):
        return  # The plan asks for the one; to the other the answer is its run, whatever that did since.
    if locks.holder(tx, f"{resource}/{order.resource_id}") is not None:
        return  # Whoever holds the lock decides: a conflict that names it, or a place in the line.
    judge(tx, order, str(order.input.get("action") or order.type.partition(".")[2]))


def _server(tx: Tx, order: Order, action: str) -> None:
    row = _known(servers.read_server(tx, str(order.resource_id)), f"server {order.resource_id}")
    it = server_states.Situation.of(row, force=bool(order.input.get("force")))
    if action in (*server_states.ACTIONS, "register") and not server_states.allows(row["state"], action, it):
        allowed = server_states.allowed_actions(row["state"], it)
        raise _not_allowed(tx, f"server {row['id']}", row, action, allowed, _besides(row["state"], it))
    # The server itself would allow it: that it is part of a cluster or a batch is not in its state.
    owner = allocations.owner_of(tx, row["id"])
    if owner is not None and action in ("deprovision", "decommission"):
        raise _taken(tx, row["id"], owner)


def _taken(tx: Tx, server_id: str, owner: str) -> Conflict:
    """Why a server that somebody took from its pool is not given back by hand."""
    made = INSTANCES.read(tx, owner)
    if made is None:
        return Conflict(f"Cluster {owner} is built on server {server_id}: scale or delete it", cluster=owner)
    batch = made["lineage"]
    return Conflict(f"Server {server_id} is {made['name']} of batch {batch}: roll that back", batch=batch)


def _besides(state: str, it: server_states.Situation) -> str:
    """What else stands in the way of an action."""
    told = [" in maintenance"] if it.maintenance else []
    if state == "error":
        told += [] if it.identified else [" and has never been identified"]
        told += [" and in use"] if it.in_use else []
    return "".join(told)


def _cluster(tx: Tx, order: Order, action: str) -> None:
    row = _known(clusters.read(tx, str(order.resource_id)), f"cluster {order.resource_id}")
    built = row["uid"] is not None
    if not cluster_states.allows(row["state"], action, built=built):
        allowed = cluster_states.allowed_actions(row["state"], built=built)
        raise _not_allowed(tx, f"cluster {row['id']}", row, action, allowed)
    if action == "scale":
        _check_scale(tx, row, order.input)
    if action == "upgrade":
        _check_upgrade(row, order.input.get("template"))


def _vm(tx: Tx, order: Order, action: str) -> None:
    row = _known(vms.read(tx, str(order.resource_id)), f"machine {order.resource_id}")
    built = row["uid"] is not None
    if not vm_states.allows(row["state"], action, built=built):
        raise _not_allowed(
            tx, f"machine {row['id']}", row, action, vm_states.allowed_actions(row["state"], built=built)
        )


JUDGES: Mapping[str, Callable[[Tx, Order, str], None]] = {"server": _server, "cluster": _cluster, "vm": _vm}


def _known(row: Row | None, what: str) -> Row:
    if row is None:
        raise NotFound(f"There is no {what}")
    return row


def _not_allowed(
    tx: Tx, what: str, row: Row, action: str, allowed: list[str], more: str = ""
) -> InvalidStateTransition:
    """Which state is in the way, the run that it comes from, and what may be done."""
    said = f"{what} is {row['state']}{more}, which does not allow {action}"
    last = runs.read_run(tx, row["run_id"]) if row["run_id"] else None
    details: Row = {"current": row["state"], "allowedActions": allowed}
    if last is not None:
        details["run"] = last["id"]
    if not allowed and last is not None and last["completed_at"] is None:
        said += f": run {last['id']} is at work on it; wait for it, or cancel it"
    elif not allowed and last is not None and row["state"] not in GONE:
        said += f": run {last['id']} is {last['status']} and left it so; retry that run"
    elif allowed:
        said += f"; allowed: {', '.join(allowed)}"
    return InvalidStateTransition(said, **details)


def check_capacity(tx: Tx, wanted: Mapping[str, int]) -> None:
    """Refuse to begin what takes more servers of a pool than are free; raises `PoolCapacityExceeded`.

    The run asks again when it takes them, for others may have been faster.
    """
    counts = pool_counts(tx, list(wanted))
    for pool_id, missing in wanted.items():
        free = counts[pool_id]["free"]
        if missing > free:
            pool = servers.read_pool(tx, pool_id) or {"name": pool_id}
            raise PoolCapacityExceeded(
                f"Not enough available servers in pool {pool['name']}: {missing} wanted, {free} free",
                wanted=missing,
                free=free,
            )


def _check_scale(tx: Tx, row: Row, wanted: Mapping[str, Any]) -> None:
    """What the template's family is known not to allow; the template itself is asked by the run."""
    family = any(row["template"].startswith(name) for name in cluster_states.SCALES)
    numbers = {"workers": wanted.get("workers"), "control_planes": wanted.get("controlPlanes")}
    try:
        # Against what the cluster has already: a repeated order for the same size needs no server.
        if row["node_pools"] and numbers["workers"] is not None:
            pools = cluster_states.resized(row["node_pools"], numbers.pop("workers") or 0)
            has = Counter(one["pool_id"] for one in allocations.held_by(tx, row["id"]))
            check_capacity(tx, {pool["poolId"]: int(pool["count"]) - has[pool["poolId"]] for pool in pools})
        if family:
            cluster_states.scaled(row["config"] or {}, row["template"], **numbers)
    except Unscalable as error:
        raise InvalidStateTransition(error.message, **error.details) from None


def _check_upgrade(row: Row, template: Any) -> None:
    """A template that was not offered when the cluster was last looked at."""
    offered = (row["observed"] or {}).get("availableUpgrades")
    if template is not None and offered is not None and template not in offered:
        raise InvalidStateTransition(
            f"There is no way from {row['template']} to {template}", availableUpgrades=offered
        )
