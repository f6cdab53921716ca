"""Kubernetes clusters (contracts/runs.rst#clusters)."""

from collections.abc import Mapping
from typing import Any

from app.api.http import orders, paging
from app.api.http.envelope import Answer
from app.api.http.family import Family
from app.api.v1 import examples
from app.api.v1.clusters import show
from app.api.v1.clusters.schemas import (
    ClusterBody,
    ClusterQuery,
    ClusterShape,
    DeleteQuery,
    ScaleBody,
    UpgradeBody,
)
from app.api.v1.runs.schemas import PlanShape, StartQuery
from app.record.inventory.managed import ManagedFilters
from app.services.clusters import CLUSTERS, order_of

clusters = Family("clusters", "Kubernetes clusters: inventory, and runs that work on them.")
PATH = "/v1/clusters"
ONE = f"{PATH}/<cluster_id>"
WANTED = {
    "name": "prod-1",
    "template": "aws-standalone-cp-1-0-16",
    "credential": "aws",
    "config": {"controlPlaneNumber": 3, "workersNumber": 5},
}
PLAN = {**examples.PLAN, "type": "cluster.scale", "resource": f"cluster/{examples.CLUSTER_ID}"}


@clusters.serve("GET", PATH, "listClusters", scope="servers:read", errors=(404, 409))
@clusters.arguments(ClusterQuery, location="query")
@clusters.response(200, ClusterShape(many=True), example=[examples.CLUSTER])
def list_clusters(query: dict[str, Any]) -> Answer:
    """Clusters, newest first, as they were last seen; deleted ones only when that state is asked for."""
    asked = orders.without(query, (*paging.POSITION, "tag"))
    found, shown = show.page(ManagedFilters(**asked, tags=tuple(query.get("tag", ()))), paging.window(query))
    return paging.answer(query, found, shown)


@clusters.serve("POST", PATH, "createCluster", scope="servers:write", errors=(404,))
@clusters.arguments(StartQuery, location="query")
@clusters.arguments(ClusterBody, example=WANTED)
@clusters.also(200, PlanShape, example=PLAN, description="The plan, when dryRun is true in the query.")
@clusters.response(202, ClusterShape, example={**examples.CLUSTER, "state": "creating"})
def create_cluster(query: Mapping[str, object], body: Mapping[str, object]) -> Answer:
    """Make a cluster from a template, on servers of pools when its template needs some."""
    values = orders.without(body, orders.ABOUT_RUN)
    values["node_pools"] = orders.spelled(values.get("node_pools") or [])
    return orders.create(CLUSTERS, values, orders.options(body, query), query, show.shown)


@clusters.serve("GET", ONE, "getCluster", scope="servers:read")
@clusters.response(200, ClusterShape, example=examples.CLUSTER)
def get_cluster(cluster_id: str) -> Answer:
    """One cluster as it was last seen, how long ago that was, and the actions that its state allows."""
    return show.one(cluster_id)


@clusters.serve("POST", f"{ONE}/scale", "scaleCluster", scope="servers:write")
@clusters.arguments(StartQuery, location="query")
@clusters.arguments(ScaleBody, example={"workers": 8})
@clusters.also(200, PlanShape, example=PLAN, description="The plan, when dryRun is true.")
@clusters.response(202, ClusterShape, example={**examples.CLUSTER, "state": "scaling"})
def scale_cluster(query: Mapping[str, object], body: Mapping[str, object], cluster_id: str) -> Answer:
    """Change how many nodes a cluster has; its template decides what can be changed."""
    return _act(cluster_id, "scale", query, body)


@clusters.serve("POST", f"{ONE}/upgrade", "upgradeCluster", scope="servers:write")
@clusters.arguments(StartQuery, location="query")
@clusters.arguments(UpgradeBody, example={"template": "aws-standalone-cp-1-0-17"})
@clusters.also(200, PlanShape, example=PLAN, description="The plan, when dryRun is true.")
@clusters.response(202, ClusterShape, example={**examples.CLUSTER, "state": "upgrading"})
def upgrade_cluster(query: Mapping[str, object], body: Mapping[str, object], cluster_id: str) -> Answer:
    """Upgrade a cluster along one of its ``availableUpgrades``."""
    return _act(cluster_id, "upgrade", query, body)


@clusters.serve("DELETE", ONE, "deleteCluster", scope="servers:write", errors=(409,))
@clusters.arguments(DeleteQuery, location="query")
@clusters.also(200, PlanShape, example=PLAN, description="The plan, when dryRun is true.")
@clusters.response(202, ClusterShape, example={**examples.CLUSTER, "state": "deleting"})
def delete_cluster(query: Mapping[str, object], cluster_id: str) -> Answer:
    """Delete a cluster; its servers are given back once it is gone."""
    told = {name: query[name] for name in ("cleanup_on_deletion",) if name in query}
    return _act(cluster_id, "delete", query, told)


def _act(cluster_id: str, action: str, query: Mapping[str, object], body: Mapping[str, object]) -> Answer:
    given, about = orders.of_action(body, query)
    return orders.act(CLUSTERS, order_of(cluster_id, action, given, **about), query, show.shown)
