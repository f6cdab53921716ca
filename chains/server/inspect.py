"""server.inspect: what the machine really is."""

from collections.abc import Mapping

from app.domain.plan import Plan
from chains.catalogue import workflow
from tasks import server


@workflow("server.inspect", scope="servers:write", resource="server", eta="30s", example={"server_id": "srv"})
def inspect(_given: Mapping[str, object]) -> Plan:
    """Inspect a machine: read its identity, firmware, sensors and inventory, as far as it offers them."""
    return server.validate(action="inspect") | server.read_hardware() | server.save_hardware()
