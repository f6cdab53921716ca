"""Bare-metal servers (contracts/runs.rst#servers-pools-and-hooks)."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response

from app.api.http import paging, versions
from app.api.http.context import principal, world
from app.api.http.envelope import Answer
from app.api.http.family import Family
from app.api.v1 import examples
from app.api.v1.runs.schemas import PlanShape, StartQuery
from app.api.v1.servers import batch, orders, show
from app.api.v1.servers.schemas import (
    Certificate,
    Credential,
    DecommissionQuery,
    FromPoolAnswer,
    FromPoolBody,
    ItemResult,
    RegisterBody,
    ServerActionBody,
    ServerChange,
    ServerQuery,
    ServerShape,
)
from app.record.listing import ServerFilters
from app.services import servers as service

servers = Family("servers", "Bare-metal machines: inventory, and runs that work on them.")
PATH = "/v1/servers"
ONE = f"{PATH}/<server_id>"
LOGIN = {"username": "operator", "password": "correct-horse-battery"}
REGISTRATION = {
    "protocol": "redfish",
    "bmcAddress": "10.0.7.12:443",
    "bmcCredential": LOGIN,
    "displayName": "rack 7",
}
IMAGE = {"url": "https://images.example/debian-12.qcow2", "checksum": "ab12", "checksumType": "sha256"}
RESULT = {"index": 0, "status": 202, "data": examples.SERVER, "workflowId": examples.RUN_ID}
TAKEN = {"server": examples.SERVER, "workflowId": examples.RUN_ID, "estimatedDuration": 1500000}


@servers.serve("GET", PATH, "listServers", scope="servers:read", errors=(404, 409))
@servers.arguments(ServerQuery, location="query")
@servers.response(200, ServerShape(many=True), example=[examples.SERVER])
def list_servers(query: dict[str, Any]) -> Answer:
    """Servers, newest first; decommissioned ones only when that state is asked for."""
    asked = {name: value for name, value in query.items() if name not in (*paging.POSITION, "tag")}
    found, shown = show.page(ServerFilters(**asked, tags=tuple(query.get("tag", ()))), paging.window(query))
    return paging.answer(query, found, shown)


@servers.serve("POST", PATH, "registerServer", scope="servers:write", errors=(404,))
@servers.arguments(StartQuery, location="query")
@servers.arguments(RegisterBody, example=REGISTRATION)
@servers.also(200, PlanShape, example=examples.PLAN, description="The plan, when dryRun is true.")
@servers.response(202, ServerShape, example={**examples.SERVER, "state": "registering"})
def register_server(query: dict[str, object], body: dict[str, object]) -> Answer:
    """Take a machine into the inventory: connect, identify, record it."""
    options = orders.options(body, query)
    if query["dry_run"]:
        return orders.registration_plan(body, options)
    return orders.accepted(service.register(world(), principal(), orders.machine(body), **options))


@servers.serve("POST", f"{PATH}:import", "importServers", scope="servers:write")
@servers.json_list(RegisterBody(many=True), example=[REGISTRATION])
@servers.response(207, ItemResult(many=True), example=[RESULT])
def import_servers(items: Sequence[object]) -> Answer:
    """Register many; one result for each, in their order."""
    return batch.imported(items)


@servers.serve("POST", f"{PATH}/provision", "provisionFromPool", scope="servers:write", errors=(404,))
@servers.arguments(FromPoolBody, example={"poolId": examples.POOL_ID, "count": 2, "image": IMAGE})
@servers.response(202, FromPoolAnswer, example={"results": [TAKEN]})
def provision_from_pool(body: dict[str, object]) -> Answer:
    """Take free machines of a pool, all that are asked for or none, and install them."""
    return batch.taken(body)


@servers.serve("GET", ONE, "getServer", scope="servers:read")
@servers.also(304, description="Not changed since the ETag in If-None-Match.")
@servers.response(200, ServerShape, example=examples.SERVER)
def get_server(server_id: str) -> Answer:
    """One server with the actions that its state allows."""
    row = show.row(server_id)
    return versions.tagged(show.shown(row), str(row["version"]))


@servers.serve("PATCH", ONE, "changeServer", scope="servers:write", errors=(409, 412))
@servers.arguments(ServerChange, example={"displayName": "rack 7, slot 12", "tags": ["rack-7"]})
@servers.response(200, ServerShape, example=examples.SERVER)
def change_server(body: Mapping[str, object], server_id: str) -> Answer:
    """Change what people say about a server; with If-Match only when nobody else did meanwhile."""
    row = service.change(world(), principal(), server_id, body, versions.wanted_version())
    return show.shown(row), None, {"ETag": f'"{row["version"]}"'}


@servers.serve("PUT", f"{ONE}/credential", "setCredential", scope="servers:write", errors=(409,))
@servers.arguments(Credential, example=LOGIN)
@servers.response(204)
def set_credential(body: dict[str, Any], server_id: str) -> Response:
    """Replace what the service logs in with; it is sealed at once."""
    service.set_credential(world(), principal(), server_id, body)
    return Response(status=204)


@servers.serve("PUT", f"{ONE}/certificate", "trustCertificate", scope="servers:write", errors=(409,))
@servers.arguments(Certificate, example={"fingerprint": "9f" * 32})
@servers.response(204)
def trust_certificate(body: dict[str, Any], server_id: str) -> Response:
    """Know the Redfish controller by a new certificate: a given one, or the one that it shows next."""
    fingerprint = body["fingerprint"]
    service.trust_certificate(world(), principal(), server_id, fingerprint and fingerprint.lower())
    return Response(status=204)


@servers.serve("POST", f"{ONE}/actions", "actOnServer", scope="servers:write", errors=(412,))
@servers.arguments(StartQuery, location="query")
@servers.arguments(ServerActionBody, example={"action": "provision", "image": IMAGE})
@servers.also(200, PlanShape, example=examples.PLAN, description="The plan, when dryRun is true.")
@servers.response(202, ServerShape, example={**examples.SERVER, "state": "provisioning"})
def act_on_server(query: dict[str, object], body: dict[str, Any], server_id: str) -> Answer:
    """Let a run work on the server; its state decides what is allowed."""
    action = body.pop("action")
    versions.check_version(show.row(server_id)["version"])
    values, options = orders.given(body), orders.action_options(body, query)
    if query["dry_run"]:
        return orders.action_plan(server_id, action, values, options)
    return orders.accepted(service.action(world(), principal(), server_id, action, values, **options))


@servers.serve("DELETE", ONE, "decommissionServer", scope="servers:write", errors=(409, 412))
@servers.arguments(DecommissionQuery, location="query")
@servers.also(200, PlanShape, example=examples.PLAN, description="The plan, when dryRun is true.")
@servers.response(202, ServerShape, example={**examples.SERVER, "state": "decommissioning"})
def decommission_server(query: dict[str, Any], server_id: str) -> Answer:
    """Retire a server: turn it off and take it out of the inventory; only deprovisioning wipes."""
    versions.check_version(show.row(server_id)["version"])
    options = orders.options({}, query)
    if query["dry_run"]:
        return orders.action_plan(server_id, "decommission", {"force": query["force"]}, options)
    return orders.accepted(service.decommission(world(), principal(), server_id, query["force"], **options))
