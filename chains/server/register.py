"""server.register: a machine enters the inventory once its controller has answered."""

from collections.abc import Mapping

from app.domain.plan import Plan
from chains.catalogue import workflow
from tasks import server


@workflow(
    "server.register", scope="servers:write", resource="server", eta="10s", example={"server_id": "srv"}
)
def register(_given: Mapping[str, object]) -> Plan:
    """Register a machine: reach its controller, prove it by a command, record who it is."""
    return (
        server.validate(action="register")
        | server.connect_bmc()
        | server.register_host()
        | server.settle(state="registered")
    )
