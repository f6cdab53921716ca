"""cluster.create: a Kubernetes cluster from a template, on servers of pools when it needs some."""

from collections.abc import Mapping

from app.domain.plan import Plan
from chains.catalogue import workflow
from tasks import allocation, cluster


@workflow(
    "cluster.create",
    scope="servers:write",
    resource="cluster",
    eta="15m",
    on_failure="hold",
    hold="15m",
    example={"cluster_id": "cls"},
)
def create(_given: Mapping[str, object]) -> Plan:
    """Make a Kubernetes cluster."""
    return (
        cluster.validate(action="create")
        | cluster.create_record()
        | allocation.allocate_resources()
        | cluster.apply_deployment()
        | cluster.wait_ready()
        | cluster.settle()
    )
