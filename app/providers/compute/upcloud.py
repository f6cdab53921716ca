"""Servers at UpCloud, by its JSON API 1.3."""

import json
from collections.abc import Mapping
from typing import Any

import httpx

from app.domain.errors import (
    CloudAuthFailed,
    CloudError,
    CloudNoCapacity,
    CloudQuotaExceeded,
    CloudRefused,
)
from app.providers.compute.http_client import HttpClient, sensible
from app.providers.compute.values import (
    BATCH_LABEL,
    ITEM_LABEL,
    Access,
    Machine,
    Plan,
    Price,
    Spec,
    State,
    Whoami,
    oldest_first,
)

PUBLIC = "https://api.upcloud.com"
DEBIAN_12 = "01000000-0000-4000-8000-000020070100"  # UpCloud's public template.
STATES: Mapping[str, State] = {"started": "running", "stopped": "stopped", "error": "failed"}
QUOTA = frozenset({"SERVER_CREATING_LIMIT_REACHED", "INSUFFICIENT_CREDITS", "TRIAL_PLAN"})
CAPACITY = frozenset({"SERVER_RESOURCES_UNAVAILABLE", "STORAGE_RESOURCES_UNAVAILABLE"})
MISSING = "SERVER_NOT_FOUND"  # A bare 404 may be a proxy's, and is no word about the server.
MOVING = "SERVER_STATE_ILLEGAL"  # The server is on its way from one state to another.
Row = dict[str, Any]


class UpcloudCompute:
    """See `app.providers.compute.Compute`; a label is part of the order, so lists lag little."""

    lists_late = True

    def __init__(self, access: Access) -> None:
        given = access.credentials
        if given.get("token"):
            auth: httpx.Auth = _Bearer(given["token"])
        else:
            auth = httpx.BasicAuth(given.get("username", ""), given.get("password", ""))
        self.access = access
        self._http = HttpClient(access.endpoint or PUBLIC, auth)

    @sensible()
    def whoami(self) -> Whoami:
        account = self._get("/1.3/account")["account"]
        return Whoami(name=str(account["username"]), clock_skew_ms=self._http.skew_ms)

    @sensible()
    def plans(self) -> list[Plan]:
        found = self._get("/1.3/plan")["plans"]["plan"]
        return [
            Plan(name=one["name"], cpus=int(one["core_number"]), memory_mb=int(one["memory_amount"]))
            for one in sorted(found, key=lambda one: str(one["name"]))
        ]

    @sensible()
    def zones(self) -> list[str]:
        return sorted(str(one["id"]) for one in self._get("/1.3/zone")["zones"]["zone"])

    @sensible()
    def prices(self) -> list[Price]:
        return [
            Price(plan=key.removeprefix("server_plan_"), zone=zone["name"], amount=float(value["price"]))
            for zone in self._get("/1.3/price")["prices"]["zone"]
            for key, value in sorted(zone.items())
            if key.startswith("server_plan_")
        ]

    @sensible()
    def find(
        self, *, token: str | None = None, name: str | None = None, batch: str | None = None
    ) -> list[Machine]:
        label = {"label": f"{ITEM_LABEL}={token}"} if token else {}
        if batch and not token:
            label = {"label": f"{BATCH_LABEL}={batch}"}
        found = [_machine(one) for one in self._get("/1.3/server", label)["servers"]["server"]]
        # The server may know fewer filters than we ask for: what comes back is judged here.
        return oldest_first(
            [
                one
                for one in found
                if token in (None, one.token) and name in (None, one.name) and batch in (None, one.batch)
            ]
        )

    @sensible(orders=True)
    def create(self, spec: Spec, token: str) -> Machine:
        return _machine(
            self._call("POST", "/1.3/server", {"server": self._order(spec, token)}, about=spec.name)["server"]
        )

    @sensible()
    def look(self, id_: str) -> Machine | None:
        try:
            return _machine(self._get(f"/1.3/server/{id_}")["server"])
        except CloudRefused as error:
            if error.details.get("reason") == MISSING:
                return None
            raise

    @sensible(orders=True)
    def remove(self, id_: str) -> bool:
        seen = self.look(id_)
        if seen is None:
            return True
        try:
            if seen.state in ("stopped", "failed"):
                self._call("DELETE", f"/1.3/server/{id_}?storages=1&backups=delete")
            elif seen.state == "running":
                stop = {"stop_server": {"stop_type": "hard", "timeout": "1"}}
                self._call("POST", f"/1.3/server/{id_}/stop", stop)
        except CloudRefused as error:
            if error.details.get("reason") not in (MISSING, MOVING):
                raise
        return False

    def _order(self, spec: Spec, token: str) -> Row:
        labels = [{"key": ITEM_LABEL, "value": token}, {"key": BATCH_LABEL, "value": spec.batch}]
        disk = {
            "action": "clone",
            "storage": spec.image or self.access.image or DEBIAN_12,
            "title": f"{spec.name} disk",
        }
        login = {"username": "root", "create_password": "no", "ssh_keys": {"ssh_key": [*spec.public_keys]}}
        return {
            "zone": self.access.zone(spec.zone),
            "title": spec.name,
            "hostname": spec.name,
            "plan": self.access.plan(spec.plan),
            "metadata": "yes",
            "labels": {"label": labels},
            "storage_devices": {"storage_device": [disk]},
            **({"user_data": spec.user_data} if spec.user_data else {}),
            **({"login_user": login} if spec.public_keys else {}),
        }

    def _get(self, path: str, params: Mapping[str, str] | None = None) -> Row:
        return self._call("GET", path, params=params)

    def _call(
        self,
        method: str,
        path: str,
        body: Row | None = None,
        *,
        params: Mapping[str, str] | None = None,
        about: str = "",
    ) -> Row:
        attempt = f"{method} {path.partition('?')[0]}{f' of {about}' if about else ''}"
        orders = method != "GET"
        answer = self._http.send(method, path, attempt=attempt, orders=orders, json=body, params=params)
        content = _content(answer)
        if content is None or answer.status_code >= 500:
            why = f"status {answer.status_code}, and the answer makes no sense"
            raise self._http.lost(attempt, why, orders=orders)
        if answer.status_code >= 400:
            raise _refusal(answer.status_code, content.get("error") or {}, attempt)
        return content


class _Bearer(httpx.Auth):
    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Any:
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


def _content(answer: httpx.Response) -> Row | None:
    """The answer's object; None for one that is none, such as a proxy's page."""
    if not answer.content and answer.status_code < 300:
        return {}
    try:
        content = json.loads(answer.content)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _refusal(status: int, error: Row, attempt: str) -> CloudError:
    code, message = str(error.get("error_code") or ""), str(error.get("error_message") or "")
    kind: type[CloudError] = CloudRefused
    if status in (401, 403) and code not in QUOTA:
        kind = CloudAuthFailed
    elif code in QUOTA:
        kind = CloudQuotaExceeded
    elif code in CAPACITY:
        kind = CloudNoCapacity
    return kind(f"{attempt}: {message or status} ({code})", status=status, reason=code)


def _machine(row: Row) -> Machine:
    labels = {one["key"]: one["value"] for one in (row.get("labels") or {}).get("label") or ()}
    addresses = (row.get("ip_addresses") or {}).get("ip_address") or []
    public = sorted(addresses, key=lambda one: (one.get("access") != "public", one.get("family") != "IPv4"))
    return Machine(
        id=str(row["uuid"]),
        name=str(row.get("hostname") or row.get("title") or ""),
        plan=str(row.get("plan") or ""),
        zone=str(row.get("zone") or ""),
        state=STATES.get(str(row.get("state")), "creating"),
        token=labels.get(ITEM_LABEL, ""),
        batch=labels.get(BATCH_LABEL, ""),
        addresses=tuple(str(one["address"]) for one in public),
        created_at=int(row.get("created") or 0) * 1000,
    )
