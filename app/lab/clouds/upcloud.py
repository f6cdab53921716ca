"""A double of UpCloud's API 1.3: accounts, plans, zones, prices, templates and servers with labels."""

import base64
import binascii
import hmac
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from app.domain.errors import WindlassError
from app.lab.clouds.cloud import Cloud, Server
from app.lab.clouds.network_faults import answered
from app.lab.http import HttpServer, Request, Response

USERNAME, PASSWORD = "windlass", "windlass-lab"
PLANS = {"1xCPU-1GB": (1, 1024), "1xCPU-2GB": (1, 2048), "2xCPU-4GB": (2, 4096), "4xCPU-8GB": (4, 8192)}
ZONES = {
    "de-fra1": "Frankfurt #1",
    "fi-hel1": "Helsinki #1",
    "uk-lon1": "London #1",
    "us-nyc1": "New York #1",
}
TEMPLATES = {"01000000-0000-4000-8000-000020070100": "Debian GNU/Linux 12 (Bookworm)"}
STATES = {"pending": "maintenance", "running": "started", "stopping": "maintenance", "stopped": "stopped"}
Row = dict[str, Any]


class UpcloudDouble:
    """UpCloud on a port of its own."""

    def __init__(self, cloud: Cloud, username: str = USERNAME, password: str = PASSWORD) -> None:
        self.cloud = cloud
        self._login = f"{username}:{password}"
        self._username = username
        self.server = HttpServer(self._handle, _broken)
        self._reads: dict[str, Callable[[Request], Response]] = {
            "account": self._account,
            "plan": self._plans,
            "zone": self._zones,
            "price": self._prices,
            "storage/template": self._templates,
            "server": self._list,
        }

    async def _handle(self, request: Request) -> Response | None:
        return await answered(
            self.cloud,
            request,
            orders=request.method != "GET",
            throttled=lambda after: _refused(429, "TOO_MANY_REQUESTS", "Too many requests.", after),
            work=lambda: self._answer(request),
        )

    def _answer(self, request: Request) -> Response:
        if not self._knows(request) or self.cloud.active_faults.applies("bad_auth"):
            return _refused(
                401, "AUTHENTICATION_FAILED", "Authentication failed using the given username and password."
            )
        path = request.path.removeprefix("/1.3/")
        if request.method == "GET" and path in self._reads:
            return self._reads[path](request)
        if (request.method, path) == ("POST", "server"):
            return self._create(request)
        parts = path.split("/")
        if parts[0] == "server" and len(parts) in (2, 3):
            return self._about(request, *parts[1:])
        return _refused(404, "NOT_FOUND", "The requested resource does not exist.")

    def _knows(self, request: Request) -> bool:
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        try:
            told = base64.b64decode(given).decode() if kind == "Basic" else ""
        except (binascii.Error, UnicodeDecodeError):
            told = ""
        return hmac.compare_digest(told, self._login)

    def _account(self, request: Request) -> Response:
        limits = {"cores": 200, "memory": 1048576, "public_ipv4": 100}
        return Response(
            body={"account": {"credits": 10000, "username": self._username, "resource_limits": limits}}
        )

    def _plans(self, request: Request) -> Response:
        plans = [
            {"name": name, "core_number": cpus, "memory_amount": memory, "storage_size": 50}
            | {"storage_tier": "maxiops", "public_traffic_out": 1024}
            for name, (cpus, memory) in PLANS.items()
        ]
        return Response(body={"plans": {"plan": plans}})

    def _zones(self, request: Request) -> Response:
        zones = [{"id": id_, "description": name, "public": "yes"} for id_, name in ZONES.items()]
        return Response(body={"zones": {"zone": zones}})

    def _prices(self, request: Request) -> Response:
        prices = {
            f"server_plan_{name}": {"amount": 1, "price": 1.5 * cpus} for name, (cpus, _) in PLANS.items()
        }
        return Response(body={"prices": {"zone": [{"name": zone, **prices} for zone in ZONES]}})

    def _templates(self, request: Request) -> Response:
        found = [
            {"uuid": id_, "title": title, "type": "template", "access": "public", "size": 3}
            for id_, title in TEMPLATES.items()
        ]
        return Response(body={"storages": {"storage": found}})

    def _list(self, request: Request) -> Response:
        wanted = request.query.get("label", "")
        key, has_value, value = wanted.partition("=")
        found = [
            _server(one)
            for one in self.cloud.listed()
            if not wanted or (key in one.labels and (not has_value or one.labels[key] == value))
        ]
        return Response(body={"servers": {"server": found}})

    def _create(self, request: Request) -> Response:
        order = request.json_object().get("server") or {}
        problem = self._problem(order)
        if problem is not None:
            return problem
        labels = (order.get("labels") or {}).get("label") or []
        wanted = Server(
            id="",
            name=order["hostname"],
            plan=order["plan"],
            zone=order["zone"],
            labels={one["key"]: one["value"] for one in labels},
            address="",
            created=0.0,
            user_data=order.get("user_data") or "",
            keys=list(((order.get("login_user") or {}).get("ssh_keys") or {}).get("ssh_key") or []),
        )
        made = self.cloud.make([str(uuid4()), str(uuid4())], wanted, request.port)
        return Response(status=202, body={"server": _details(made)})

    def _problem(self, order: Row) -> Response | None:
        """What is wrong with an order; None when it can be carried out."""
        for member in ("hostname", "title", "zone", "storage_devices"):
            if not order.get(member):
                code = f"{member.upper()}_MISSING"
                return _refused(400, code, f"The required attribute '{member}' is missing from the request.")
        if order["zone"] not in ZONES:
            return _refused(404, "ZONE_NOT_FOUND", f"The zone {order['zone']} does not exist.")
        if order.get("plan") not in PLANS:
            return _refused(404, "PLAN_NOT_FOUND", f"The plan {order.get('plan')} does not exist.")
        if self.cloud.over_quota():
            return _refused(403, "SERVER_CREATING_LIMIT_REACHED", "The account may not have more servers.")
        if self.cloud.full(order["zone"], order["plan"]):
            return _refused(
                409, "SERVER_RESOURCES_UNAVAILABLE", "There are not enough resources in the zone."
            )
        return None

    def _about(self, request: Request, id_: str, action: str = "") -> Response:
        found = self.cloud.one(id_)
        if found is None or found.state == "gone":
            return _refused(404, "SERVER_NOT_FOUND", f"The server {id_} does not exist.")
        if (request.method, action) == ("GET", ""):
            return Response(body={"server": _details(found)})
        needs = {("POST", "stop"): "running", ("POST", "start"): "stopped", ("DELETE", ""): "stopped"}
        state = needs.get((request.method, action))
        if state is None:
            return _refused(405, "METHOD_NOT_ALLOWED", "The method is not allowed.")
        if found.state != state:
            told = f"The server {id_} is in the state '{STATES[found.state]}'."
            return _refused(409, "SERVER_STATE_ILLEGAL", told)
        if request.method == "DELETE":
            self.cloud.turn(found, "gone", request.port)
            return Response(status=204)
        self.cloud.turn(found, "stopping" if action == "stop" else "pending", request.port)
        changed = self.cloud.one(id_) or found
        return Response(body={"server": _details(changed)})


def _broken(error: WindlassError) -> Response:
    return _refused(400, "INVALID_REQUEST", error.message)


def _refused(status: int, code: str, message: str, after: int | None = None) -> Response:
    headers = {} if after is None else {"Retry-After": str(after)}
    return Response(
        status=status, body={"error": {"error_code": code, "error_message": message}}, headers=headers
    )


def _server(one: Server) -> Row:
    cpus, memory = PLANS.get(one.plan, (1, 1024))
    return {
        "uuid": one.id,
        "hostname": one.name,
        "title": one.name,
        "plan": one.plan,
        "zone": one.zone,
        "state": STATES.get(one.state, "maintenance"),
        "core_number": str(cpus),
        "memory_amount": str(memory),
        "license": 0,
        "created": int(one.created),
        "labels": {"label": [{"key": key, "value": value} for key, value in one.labels.items()]},
        "tags": {"tag": []},
    }


def _details(one: Server) -> Row:
    address = {"access": "public", "address": one.address, "family": "IPv4"}
    disk = {"address": "virtio:0", "storage": one.id, "storage_title": f"{one.name} disk", "type": "disk"}
    return {
        **_server(one),
        "ip_addresses": {"ip_address": [address]},
        "storage_devices": {"storage_device": [{**disk, "storage_size": 50, "labels": []}]},
        "nics": {},
    }
