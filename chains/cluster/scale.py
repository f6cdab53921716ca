"""cluster.scale: more or fewer nodes."""

from collections.abc import Mapping

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.domain.plan import Plan
from chains.catalogue import workflow
from tasks import allocation, cluster


class Scale(Schema):
    """Input of cluster.scale."""

    workers = fields.Int(strict=True, validate=validate.Range(0, 10_000))
    controlPlanes = fields.Int(strict=True, validate=validate.Range(1, 9))

    @validates_schema
    def says_something(self, given: dict[str, object], **_kw: object) -> None:
        """At least one number is given."""
        if not given.keys() & {"workers", "controlPlanes"}:
            raise ValidationError("give workers, controlPlanes, or both", "workers")


@workflow(
    "cluster.scale",
    scope="servers:write",
    resource="cluster",
    expects=Scale,
    eta="10m",
    example={"cluster_id": "cls", "workers": 3},
)
def scale(_given: Mapping[str, object]) -> Plan:
    """Change how many nodes a Kubernetes cluster has."""
    return (
        # Servers are taken before the deployment asks for them, and surplus ones leave when it no longer uses
        # them.
        cluster.validate(action="scale")
        | cluster.check_scale()
        | allocation.allocate_resources()
        | cluster.patch_config()
        | cluster.wait_ready()
        | allocation.release_surplus()
        | cluster.settle()
    )
