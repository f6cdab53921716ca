"""cluster.delete: a cluster ends, and the servers it was built on are free again."""

from collections.abc import Mapping

from marshmallow import Schema, fields

from app.domain.plan import Plan
from chains.catalogue import workflow
from tasks import allocation, cluster


class Delete(Schema):
    """Input of cluster.delete."""

    cleanupOnDeletion = fields.Bool()


@workflow(
    "cluster.delete",
    scope="servers:write",
    resource="cluster",
    expects=Delete,
    eta="10m",
    on_failure="hold",  # What is not gone yet keeps its lock until somebody has looked.
    hold="24h",
    example={"cluster_id": "cls"},
)
def delete(_given: Mapping[str, object]) -> Plan:
    """Delete a Kubernetes cluster."""
    return (
        # Servers are given back when the deployment is truly gone: until then its controllers work on them.
        cluster.validate(action="delete")
        | cluster.delete_deployment()
        | cluster.wait_deleted()
        | allocation.release_resources()
        | cluster.forget()
    )
