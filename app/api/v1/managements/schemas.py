"""Bodies and answers about management clusters."""

import re

from marshmallow import fields, missing, validate

from app.api.http.schemas import Body, Flag, Query, Shape, instant, word

NAMESPACE = validate.Regexp(
    re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z"), error="Not the name of a namespace."
)
SEALED = {"description": "YAML; its current context is taken, cleaned and sealed, and never shown."}
LONGEST = 262_144


def namespace(default: str | None = None) -> fields.String:
    """The name of a namespace."""
    return fields.String(validate=NAMESPACE, load_default=missing if default is None else default)


class ManagementBody(Body):
    """A management cluster to know."""

    name = word(63, required=True)
    description = word(1000, shortest=0)
    kubeconfig = word(LONGEST, required=True, metadata=SEALED)
    cluster_namespace = namespace("kcm-system")
    machine_namespace = namespace("default")


class ManagementChange(Body):
    """What changes of a management cluster."""

    name = word(63)
    description = word(1000, shortest=0, allow_none=True)
    cluster_namespace = namespace()
    machine_namespace = namespace()


class ForceQuery(Query):
    """Whether what makes objects unfindable is done all the same."""

    force = Flag(
        load_default=False,
        metadata={
            "description": "Also when clusters or machines are not found there; they count as deleted then."
        },
    )


class Kubeconfig(Body):
    """Another way into a management cluster."""

    kubeconfig = word(LONGEST, required=True, metadata=SEALED)


class SourceShape(Shape):
    """One kind of object that a projector watches there."""

    kind = fields.String(required=True)
    observed_at = instant(allow_none=True)
    observed_age_ms = fields.Integer(allow_none=True)
    objects = fields.Integer(required=True)
    problem = fields.String(allow_none=True)


class ManagementShape(Shape):
    """A management cluster, never how to get into it."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    description = fields.String(allow_none=True)
    server = fields.String(required=True)
    cluster_namespace = fields.String(required=True)
    machine_namespace = fields.String(required=True)
    kubeconfig_version = fields.Integer(required=True)
    sources = fields.List(fields.Nested(SourceShape), required=True)
    created_at = instant(required=True)
    updated_at = instant(allow_none=True)
