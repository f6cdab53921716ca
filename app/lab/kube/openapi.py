"""OpenAPI, as far as kubectl wants it: version 3 out of the schemas, version 2 empty."""

from app.lab.http import Request, Response
from app.lab.kube.kinds import Kind, Kinds

# A document of version 2 without any definition, in the protobuf that older kubectl insist on:
# swagger "2.0", info {title "lab", version "v1"}, no paths. Then they leave all validation to the server.
_PROTOBUF = b"\n\x032.0\x12\t\n\x03lab\x12\x02v1B\x00"
_PROTOBUF_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"

# What kubectl looks for to learn that the server itself validates fields and can do dry runs.
_PARAMETERS = [
    {"name": name, "in": "query", "schema": {"type": "string"}} for name in ("dryRun", "fieldValidation")
]


def document(request: Request, kinds: Kinds) -> Response | None:
    """The document at a path below ``/openapi``, None when there is none."""
    if request.path == "/openapi/v2":
        if "protobuf" in request.headers.get("accept", ""):
            return Response(body=_PROTOBUF, headers={"Content-Type": _PROTOBUF_TYPE})
        info = {"title": "lab", "version": "v1"}
        return Response(body={"swagger": "2.0", "info": info, "paths": {}, "definitions": {}})
    groups: dict[str, list[Kind]] = {}
    for kind in kinds:
        groups.setdefault(_path(kind), []).append(kind)
    if request.path == "/openapi/v3":
        paths = {path: {"serverRelativeURL": f"/openapi/v3/{path}"} for path in groups}
        return Response(body={"paths": paths})
    found = groups.get(request.path.removeprefix("/openapi/v3/"))
    return Response(body=_group(found)) if found else None


def _path(kind: Kind) -> str:
    return f"apis/{kind.api_version}" if kind.group else f"api/{kind.version}"


def _group(kinds: list[Kind]) -> dict[str, object]:
    paths: dict[str, object] = {}
    for kind in kinds:
        place = "namespaces/{namespace}/" if kind.namespaced else ""
        marked = {"x-kubernetes-group-version-kind": _mark(kind), "responses": {"200": {"description": "OK"}}}
        patch = {"patch": {**marked, "x-kubernetes-action": "patch", "parameters": _PARAMETERS}}
        paths[f"/{_path(kind)}/{place}{kind.plural}/{{name}}"] = patch
    schemas = {_name(kind): _schema(kind) for kind in kinds}
    info = {"title": "lab", "version": "v1"}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": schemas}}


def _mark(kind: Kind) -> dict[str, str]:
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _name(kind: Kind) -> str:
    turned = ".".join(reversed(kind.group.split("."))) if kind.group else "io.k8s.api.core"
    return f"{turned}.{kind.version}.{kind.kind}"


def _schema(kind: Kind) -> dict[str, object]:
    unknown = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {**(kind.schema or unknown), "x-kubernetes-group-version-kind": [_mark(kind)]}
