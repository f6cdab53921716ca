"""Kubernetes clusters in the inventory, and what the actions on them order."""

from collections.abc import Mapping
from typing import Any

from app.domain import clusters as states
from app.domain.errors import ValidationFailed
from app.engine.admission import check_capacity
from app.engine.transitions.accept import Order
from app.record.inventory import servers
from app.record.inventory.managed import clusters
from app.record.session import Tx
from app.services.inventory import Inventory, Row

SAID = ("template", "credential", "config", "dry_run", "cleanup_on_deletion")


def order_of(cluster_id: str, action: str, given: Mapping[str, object], **options: Any) -> Order:
    """The order that an action on a cluster amounts to."""
    return Order(type=f"cluster.{action}", input=dict(given), resource_id=cluster_id, **options)


def _columns(tx: Tx, values: Mapping[str, object]) -> Row:
    return {**{column: values.get(column) for column in SAID}, "node_pools": _pools(tx, values)}


def _pools(tx: Tx, values: Mapping[str, Any]) -> list[Row]:
    pools: list[Row] = list(values.get("node_pools") or [])
    if pools and not str(values["template"]).startswith(states.ON_MACHINES):
        raise ValidationFailed.of("nodePools", f"Only clusters of {states.ON_MACHINES} are built on servers")
    seen: set[str] = set()
    for place, pool in enumerate(pools):
        if pool["poolId"] in seen:
            raise ValidationFailed.of(f"nodePools.{place}.poolId", "Given twice")
        if servers.read_pool(tx, pool["poolId"]) is None:
            raise ValidationFailed.of(f"nodePools.{place}.poolId", f"There is no pool {pool['poolId']}")
        seen.add(pool["poolId"])
    check_capacity(tx, {pool["poolId"]: int(pool["count"]) for pool in pools})
    return pools


CLUSTERS = Inventory(
    noun="cluster",
    called="cluster",
    prefix="cls",
    limit=lambda settings: settings.quota_clusters,
    rows=clusters,
    transient=states.TRANSIENT,
    columns=_columns,
)
