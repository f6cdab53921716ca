"""Pages of servers, clusters, virtual machines and pools: lists, and one with its actions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import request

from app.console import api_client, runs
from app.console.family import pages
from app.console.form_actions import FORM_ACTIONS
from app.console.render import render
from app.domain.errors import Rejected

PAGE = 50
TOUCHED = 20
Object = dict[str, object]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of resource."""

    noun: str  # The name of the kind in the API and in `FORM_ACTIONS`.
    title: str
    one: str
    path: str
    filters: tuple[str, ...]
    states: tuple[str, ...] = ()


SERVERS = Kind(
    noun="server",
    title="Servers",
    one="server",
    path="/v1/servers",
    filters=("state", "health", "poolId", "tag", "q"),
    states=("registered", "available", "provisioned", "error", "decommissioned"),
)
CLUSTERS = Kind(
    noun="cluster",
    title="Clusters",
    one="cluster",
    path="/v1/clusters",
    filters=("state", "tag", "q"),
    states=("creating", "ready", "error", "deleting", "deleted"),
)
VMS = Kind(
    noun="vm",
    title="Virtual machines",
    one="virtual machine",
    path="/v1/vms",
    filters=("state", "tag", "q"),
    states=("running", "stopped", "error", "deleted"),
)


@pages.page("GET", "/servers", scope="servers:read")
def servers() -> str:
    """Servers, newest first."""
    return _list("servers.html", SERVERS)


@pages.page("GET", "/servers/<server_id>", scope="servers:read")
def server(server_id: str) -> str:
    """One server."""
    return _one("server.html", SERVERS, server_id)


@pages.page("GET", "/clusters", scope="servers:read")
def clusters() -> str:
    """Clusters, newest first."""
    return _list("clusters.html", CLUSTERS)


@pages.page("GET", "/clusters/<cluster_id>", scope="servers:read")
def cluster(cluster_id: str) -> str:
    """One cluster."""
    return _one("cluster.html", CLUSTERS, cluster_id)


@pages.page("GET", "/vms", scope="servers:read")
def vms() -> str:
    """Virtual machines, newest first."""
    return _list("vms.html", VMS)


@pages.page("GET", "/vms/<vm_id>", scope="servers:read")
def vm(vm_id: str) -> str:
    """One virtual machine."""
    return _one("vm.html", VMS, vm_id)


@pages.page("GET", "/pools", scope="servers:read")
def pools() -> str:
    """Pools with how many machines are free."""
    found = api_client.get("/v1/pools", limit=PAGE, cursor=request.args.get("cursor"))
    return render("pools.html", title="Pools", rows=found.data, page=found.pagination)


def _list(template: str, kind: Kind) -> str:
    asked = {name: request.args.get(name, "").strip() for name in kind.filters}
    found = api_client.get(kind.path, **asked, limit=PAGE, cursor=request.args.get("cursor"))
    return render(
        template,
        title=kind.title,
        kind=kind,
        rows=found.data,
        page=found.pagination,
        asked=asked,
        watch=api_client.question(kind.path, asked, limit=PAGE),
    )


def _one(template: str, kind: Kind, id_: str) -> str:
    found = api_client.get(f"{kind.path}/{id_}")
    shown: Object = found.data
    touched = api_client.get("/v1/workflows/runs", resourceId=shown["id"], limit=TOUCHED)
    return render(
        template,
        title=shown.get("displayName") or shown.get("name") or shown["id"],
        kind=kind,
        one=shown,
        rows=[runs.row(run) for run in touched.data],
        total=touched.pagination.get("total"),
        lock=_lock(f"{kind.noun}/{shown['id']}"),
        form_actions=offered(kind.noun, shown.get("allowedActions") or ()),
        watch=api_client.question(f"{kind.path}", {"q": shown["id"]}) if kind is SERVERS else "",
    )


def offered(noun: str, allowed: Any) -> list[tuple[str, str, bool]]:
    """The actions that the state allows, with the labels of their buttons; destructive ones come last."""
    found = [
        (f"{noun}-{name}", FORM_ACTIONS[f"{noun}-{name}"])
        for name in allowed
        if f"{noun}-{name}" in FORM_ACTIONS
    ]
    ordered = sorted(found, key=lambda pair: (pair[1].sure, list(FORM_ACTIONS).index(pair[0])))
    return [(name, form_action.button, form_action.sure) for name, form_action in ordered]


def _lock(resource: str) -> Mapping[str, object] | None:
    try:
        found = api_client.get("/v1/locks", resource=resource, limit=1).data
    except Rejected:
        return None
    return found[0] if found else None
