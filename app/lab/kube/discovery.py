"""Discovery: what a server says about itself to kubectl and to dynamic clients."""

from collections.abc import Iterator
from itertools import groupby

from app.lab.http import Request, Response
from app.lab.kube import openapi
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

# A group that has no objects of its own, only calls.
_CALLS = ("subresources.kubevirt.io", "v1")
_CALL_NAMES = {
    "virtualmachines": ("start", "stop", "restart"),
    "virtualmachineinstances": ("pause", "unpause", "softreboot", "reset"),
}


def document(request: Request, kinds: Kinds) -> Response | None:
    """What is said at a path outside the resources, None when there is nothing."""
    if request.path.startswith("/openapi/"):
        return openapi.document(request, kinds)
    found = _document(request.path, kinds)
    return None if found is None else Response(body=found)


def _document(path: str, kinds: Kinds) -> object:
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    if path == "/apis":
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": list(_groups(kinds))}
    match path.split("/"):
        case ["", "api", version]:
            return _resources("", version, kinds)
        case ["", "apis", name]:
            return next((group for group in _groups(kinds) if group["name"] == name), None)
        case ["", "apis", group, version]:
            return _resources(group, version, kinds)
    return None


def _groups(kinds: Kinds) -> Iterator[dict[str, object]]:
    found = sorted({(kind.group, kind.version) for kind in kinds if kind.group} | {_CALLS})
    for name, pairs in groupby(found, key=lambda pair: pair[0]):
        versions = [{"groupVersion": f"{name}/{version}", "version": version} for _, version in pairs]
        yield {
            "kind": "APIGroup",
            "apiVersion": "v1",
            "name": name,
            "versions": versions,
            "preferredVersion": versions[0],
        }


def _resources(group: str, version: str, kinds: Kinds) -> dict[str, object] | None:
    if (group, version) == _CALLS:
        resources = list(_calls())
    else:
        listed = [kind for kind in kinds if (kind.group, kind.version) == (group, version)]
        resources = [entry for kind in listed for entry in _entries(kind)]
    if not resources:
        return None
    name = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": resources}


def _entries(kind: Kind) -> Iterator[dict[str, object]]:
    about = {"singularName": kind.singular, "namespaced": kind.namespaced, "kind": kind.kind}
    short = {"shortNames": list(kind.short)} if kind.short else {}
    yield {"name": kind.plural, **about, "verbs": list(kind.verbs), **short}
    if kind.status:
        verbs = ["get", "patch", "update"]
        yield {"name": f"{kind.plural}/status", **about, "singularName": "", "verbs": verbs}


def _calls() -> Iterator[dict[str, object]]:
    for plural, names in _CALL_NAMES.items():
        for name in names:
            about = {"singularName": "", "namespaced": True, "kind": "", "verbs": ["update"]}
            yield {"name": f"{plural}/{name}", **about}
