"""sync.server-state: whether servers are on, as their controllers say."""

from collections.abc import Mapping

from marshmallow import Schema, fields, validate

from app.domain.plan import Plan
from chains.catalogue import workflow
from tasks import sync


class Pace(Schema):
    """Input of sync.server-state."""

    everyMs = fields.Int(strict=True, load_default=300_000, validate=validate.Range(1_000, 86_400_000))


@workflow("sync.server-state", scope="servers:write", expects=Pace, eta="30m", example={})
def server_state(_given: Mapping[str, object]) -> Plan:
    """Ask every server's controller for its power now and then; the run ends when something has changed."""
    return sync.poll_power() | sync.keep_power()
