"""server.decommission: a machine leaves the inventory."""

from collections.abc import Mapping

from marshmallow import Schema, fields

from app.domain.plan import Plan
from chains.catalogue import workflow
from tasks import server


class Decommission(Schema):
    """Input of server.decommission."""

    force = fields.Bool(load_default=False)


@workflow(
    "server.decommission",
    scope="servers:write",
    resource="server",
    expects=Decommission,
    eta="1m",
    example={"server_id": "srv"},
)
def decommission(given: Mapping[str, object]) -> Plan:
    """Turn a machine off and take it out of the inventory."""
    return (
        server.validate(action="decommission")
        | server.drain(force=bool(given.get("force", False)))
        | server.remove_record()
    )
