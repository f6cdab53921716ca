"""Discovery: what a server says about itself to kubectl and to dynamic clients."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from app.lab.kube.kinds import Kind, Kinds

VERSION = {
    "major": "1",
    "minor": "32",
    "gitVersion": "v1.32.0",
    "gitCommit": "lab",
    "gitTreeState": "clean",
    "buildDate": "2025-01-01T00:00:00Z",
    "goVersion": "none",
    "compiler": "none",
    "platform": "linux/amd64",
}
HEALTH = ("/healthz", "/livez", "/readyz")

# Groups that have no objects of their own, only calls.
CALLS = {("subresources.kubevirt.io", "v1")}


def document(path: str, kinds: Kinds) -> Any:
    """What is said at a path outside the resources, None when there is nothing."""
    if path == "/version":
        return VERSION
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    if path == "/api/v1":
        return _resources("", "v1", kinds)
    if path == "/apis":
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": list(_groups(kinds))}
    parts = path.split("/")
    if len(parts) == 3 and parts[1] == "apis":
        return next((group for group in _groups(kinds) if group["name"] == parts[2]), None)
    if len(parts) == 4 and parts[1] == "apis":
        return _resources(parts[2], parts[3], kinds)
    return None


def _groups(kinds: Kinds) -> Iterable[dict[str, Any]]:
    found = sorted({(kind.group, kind.version) for kind in kinds if kind.group} | CALLS)
    for name, pairs in groupby(found, key=lambda pair: pair[0]):
        versions = [{"groupVersion": f"{name}/{version}", "version": version} for _, version in pairs]
        yield {
            "kind": "APIGroup",
            "apiVersion": "v1",
            "name": name,
            "versions": versions,
            "preferredVersion": versions[0],
        }


def _resources(group: str, version: str, kinds: Kinds) -> dict[str, Any] | None:
    listed = [kind for kind in kinds if (kind.group, kind.version) == (group, version)]
    if not listed and (group, version) not in CALLS:
        return None
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group}/{version}" if group else version,
        "resources": [entry for kind in listed for entry in _entries(kind)],
    }


def _entries(kind: Kind) -> Iterable[dict[str, Any]]:
    about = {"singularName": kind.singular, "namespaced": kind.namespaced, "kind": kind.kind}
    short = {"shortNames": list(kind.short)} if kind.short else {}
    yield {"name": kind.plural, **about, "verbs": list(kind.verbs), **short}
    if kind.status:
        verbs = ["get", "patch", "update"]
        yield {"name": f"{kind.plural}/status", **about, "singularName": "", "verbs": verbs}
