"""sync.cluster-state: what changed in a management cluster."""

from collections.abc import Mapping

from marshmallow import Schema, fields, validate

from app.domain.observed import WORDS
from app.domain.plan import Plan
from app.record.inventory.sources import KINDS
from chains.catalogue import workflow
from tasks import sync


class Changes(Schema):
    """Input of sync.cluster-state: what the projector saw; without objects everything is looked at."""

    kind = fields.Str(load_default="cluster", validate=validate.OneOf(KINDS))
    since = fields.Str()
    until = fields.Str()
    counts = fields.Dict(keys=fields.Str(validate=validate.OneOf(WORDS)), values=fields.Int(strict=True))
    objects = fields.Dict(keys=fields.Str(), values=fields.Str(validate=validate.OneOf(WORDS)))


@workflow(
    "sync.cluster-state",
    scope="admin",
    resource="management",
    expects=Changes,
    eta="5s",
    locks=False,
    example={"management_id": "mgt", "kind": "vm"},
)
def cluster_state(_given: Mapping[str, object]) -> Plan:
    """Tell what changed of clusters or machines, and see to it that the record says the same."""
    return sync.diff() | sync.upsert()
