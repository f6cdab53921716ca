"""Kubernetes clusters: made, scaled, upgraded and deleted. Every change of the world is a run."""

from collections.abc import Mapping
from typing import Any

from app.auth.keys import Principal
from app.domain import clusters as states
from app.domain.errors import Conflict, ValidationFailed
from app.domain.ids import new_id
from app.domain.ownership import object_name
from app.engine import accept as accepting
from app.engine.accept import Order
from app.record import clusters, servers
from app.record.session import Tx
from app.services import managements
from app.services.ordering import Started, check_quota, ordered, started
from app.services.runs import check_order
from app.services.world import World

Row = dict[str, Any]
SAID = (
    *("display_name", "description", "template", "credential", "config"),
    *("dry_run", "cleanup_on_deletion"),
)


def create(world: World, principal: Principal, values: Mapping[str, Any], **options: Any) -> Started:
    """Take a cluster into the inventory and start `cluster.create`."""
    cluster_id, run_id = new_id("cls"), new_id("run")
    order = Order(type="cluster.create", resource_id=cluster_id, identity=values, **options)

    def work(tx: Tx) -> Any:
        if not accepting.known(tx, order) and clusters.read_cluster(tx, cluster_id) is None:
            row = _new_row(tx, cluster_id, values)
            check_quota(tx, "clusters", clusters.count_clusters, world.settings.quota_clusters)
            clusters.insert_cluster(tx, {**row, "run_id": run_id})
        return ordered(tx, world, run_id, order, principal, clusters.read_cluster, states.TRANSIENT)

    return started(world, work)


def act(
    world: World, principal: Principal, cluster_id: str, action: str, given: Mapping[str, Any], **options: Any
) -> Started:
    """Start the run that scales, upgrades or deletes a cluster."""
    run_id = new_id("run")
    order = order_of(cluster_id, action, given, **options)

    def work(tx: Tx) -> Any:
        check_order(tx, order)
        return ordered(tx, world, run_id, order, principal, clusters.read_cluster, states.TRANSIENT)

    return started(world, work)


def order_of(cluster_id: str, action: str, given: Mapping[str, Any], **options: Any) -> Order:
    """The order that an action on a cluster amounts to."""
    return Order(type=f"cluster.{action}", input=dict(given), resource_id=cluster_id, **options)


def check_new(world: World, values: Mapping[str, Any]) -> None:
    """Refuse what `create` would refuse; nothing is stored."""
    world.db.read(lambda tx: _new_row(tx, new_id("cls"), values))


def _new_row(tx: Tx, cluster_id: str, values: Mapping[str, Any]) -> Row:
    management_id = managements.meant(tx, values.get("management_id"))
    name = values.get("name") or object_name(cluster_id)
    taken = clusters.cluster_named(tx, management_id, name)
    if taken is not None:
        raise Conflict(f"cluster {taken} is called {name} in {management_id}", cluster=taken)
    return {
        "id": cluster_id,
        "management_id": management_id,
        "name": name,
        **{column: values.get(column) for column in SAID},
        "tags": list(values.get("tags") or []),
        "node_pools": _pools(tx, values),
        "state": "creating",
        "version": 1,
    }


def _pools(tx: Tx, values: Mapping[str, Any]) -> list[Row]:
    pools: list[Row] = list(values.get("node_pools") or [])
    if pools and not str(values["template"]).startswith(states.ON_MACHINES):
        raise ValidationFailed.of("nodePools", f"only clusters of {states.ON_MACHINES} are built on servers")
    seen: set[str] = set()
    for place, pool in enumerate(pools):
        if pool["poolId"] in seen:
            raise ValidationFailed.of(f"nodePools.{place}.poolId", "is given twice")
        if servers.read_pool(tx, pool["poolId"]) is None:
            raise ValidationFailed.of(f"nodePools.{place}.poolId", f"there is no pool {pool['poolId']}")
        seen.add(pool["poolId"])
    return pools
