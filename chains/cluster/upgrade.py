"""cluster.upgrade: another template, and with it another Kubernetes."""

from collections.abc import Mapping

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.domain.plan import Plan
from chains.catalogue import workflow
from tasks import cluster


class Upgrade(Schema):
    """Input of cluster.upgrade: a template, or a version of Kubernetes that one of the offered gives."""

    template = fields.Str(validate=validate.Length(1, 253))
    kubernetesVersion = fields.Str(validate=validate.Regexp(r"v?[0-9]+\.[0-9]+[0-9A-Za-z.+-]{0,32}\Z"))

    @validates_schema
    def says_one(self, given: dict[str, object], **_kw: object) -> None:
        """Exactly one of the two is given."""
        if len(given.keys() & {"template", "kubernetesVersion"}) != 1:
            raise ValidationError("give either template or kubernetesVersion", "template")


@workflow(
    "cluster.upgrade",
    scope="servers:write",
    resource="cluster",
    expects=Upgrade,
    eta="20m",
    example={"cluster_id": "cls", "template": "aws-standalone-cp-1-0-16"},
)
def upgrade(_given: Mapping[str, object]) -> Plan:
    """Upgrade the Kubernetes of a cluster, along the paths that its management cluster offers."""
    return (
        cluster.validate(action="upgrade")
        | cluster.check_upgrade_path()
        | cluster.patch_template()
        | cluster.wait_ready()
        | cluster.settle()
    )
