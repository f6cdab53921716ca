"""Queries, bodies and answers about clusters (contracts/runs.rst#clusters)."""

import re
from collections.abc import Mapping

from marshmallow import ValidationError, fields, validate, validates_schema

from app.api.http.paging import PageQuery
from app.api.http.references import Reference
from app.api.http.schemas import TAG, Body, Flag, Object, Shape, instant, one_of, tags, whole, word
from app.api.v1.runs.schemas import StartQuery
from app.api.v1.servers.schemas import Image, RunOptions
from app.domain.clusters import STATES
from app.domain.ownership import NAME

NAMED = validate.Regexp(
    re.compile(NAME.pattern + r"\Z"), error="Not 1 to 63 of a-z, 0-9 and -, beginning with a letter."
)
VERSION = validate.Regexp(
    re.compile(r"v?[0-9]+\.[0-9]+[0-9A-Za-z.+-]{0,32}\Z"), error="Not a version of Kubernetes."
)


class ManagedQuery(PageQuery):
    """What narrows a list of clusters or machines."""

    management_id = Reference("mgt")
    name = word(63)
    tag = fields.List(fields.String(validate=TAG), metadata={"description": "May be given several times."})
    q = word(128, metadata={"description": "Part of the name, display name or id."})


class ClusterQuery(ManagedQuery):
    """What narrows the list of clusters."""

    state = one_of(*STATES)
    template = word(253)


class NodePool(Body):
    """Servers of a pool that a cluster is built on."""

    pool_id = Reference("pool", required=True)
    count = whole(1, 1000, required=True)
    image = fields.Nested(Image, required=True)
    address = word(
        255,
        metadata={
            "description": "What the cluster calls a server; {id}, {displayName}, {serial} and {bootMac} "
            "stand for its own.",
            "example": "{displayName}.nodes.example",
        },
    )
    user = word(32, metadata={"description": "Who logs in by SSH; root unless given."})


class ManagedBody(RunOptions):
    """What a new cluster and a new machine have in common."""

    management_id = Reference(
        "mgt", metadata={"description": "An id or a name; may be left out while there is exactly one."}
    )
    name = fields.String(validate=NAMED)
    display_name = word(128)
    description = word(1000, shortest=0)
    tags = tags()


class ClusterBody(ManagedBody):
    """A cluster to make."""

    template = word(253, required=True)
    credential = word(253, required=True)
    config = Object(
        required=True,
        validate=validate.Length(min=1, error="Must not be empty: k0rdent would turn it into a dry run."),
    )
    node_pools = fields.List(fields.Nested(NodePool), validate=validate.Length(max=20))
    dry_run = Flag(load_default=False, metadata={"description": "Let it be validated and not built."})
    cleanup_on_deletion = Flag(load_default=False)


class ScaleBody(RunOptions):
    """How many nodes a cluster shall have."""

    workers = whole(0, 10_000)
    control_planes = whole(1, 9)
    tags = tags()

    @validates_schema
    def says_something(self, data: Mapping[str, object], **_: object) -> None:
        """At least one number is given."""
        if not data.keys() & {"workers", "control_planes"}:
            raise ValidationError("Give workers, controlPlanes, or both.", "workers")


class UpgradeBody(RunOptions):
    """What a cluster shall become."""

    template = word(253)
    kubernetes_version = fields.String(validate=VERSION)
    tags = tags()

    @validates_schema
    def says_one(self, data: Mapping[str, object], **_: object) -> None:
        """Exactly one of the two is given."""
        if len(data.keys() & {"template", "kubernetes_version"}) != 1:
            raise ValidationError("Give either template or kubernetesVersion.", "template")


class DeleteQuery(StartQuery):
    """How a cluster is deleted."""

    cleanup_on_deletion = Flag(
        metadata={"description": "Let k0rdent remove orphaned Services and volumes, as far as it can."}
    )


class Condition(Shape):
    """What a controller says of a cluster."""

    type = fields.String(required=True)
    status = fields.String(required=True)
    reason = fields.String()
    message = fields.String()


class Status(Shape):
    """How a cluster is."""

    phase = fields.String(required=True)
    ready = fields.Boolean(required=True)
    conditions = fields.List(fields.Nested(Condition), required=True)


class ManagedShape(Shape):
    """What a cluster and a machine have in common; what is observed has an age."""

    id = fields.String(required=True)
    management_id = fields.String(required=True)
    name = fields.String(required=True)
    display_name = fields.String(allow_none=True)
    description = fields.String(allow_none=True)
    tags = fields.List(fields.String())
    slow_since = instant(
        allow_none=True, metadata={"description": "Since when what is under way takes longer than usual."}
    )
    failure_reasons = fields.List(fields.String())
    run_id = fields.String(allow_none=True)
    observed_at = instant(allow_none=True)
    observed_age_ms = fields.Integer(allow_none=True)
    allowed_actions = fields.List(fields.String(), required=True)
    created_at = instant(required=True)
    updated_at = instant(allow_none=True)


class ClusterShape(ManagedShape):
    """A cluster."""

    state = fields.String(required=True, validate=validate.OneOf(STATES))
    template = fields.String(required=True)
    credential = fields.String(required=True)
    config = fields.Dict(allow_none=True)
    node_pools = fields.List(fields.Dict())
    servers = fields.List(fields.String())
    dry_run = fields.Boolean(required=True)
    cleanup_on_deletion = fields.Boolean(required=True)
    status = fields.Nested(Status, required=True)
    kubernetes_version = fields.String(allow_none=True)
    available_upgrades = fields.List(fields.String())
    kubeconfig_ref = fields.Dict(
        allow_none=True, metadata={"description": "The Secret of the management cluster that opens it."}
    )
