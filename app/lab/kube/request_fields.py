"""Reads the parameters, media type and body of a request."""

import json
from typing import Any

import yaml

from app.lab.http import Request
from app.lab.kube.errors import bad_request, unsupported
from app.lab.kube.store import Object
from app.lab.kube.tokens import User
from app.lab.kube.writes import Deletion, Write


def write(request: Request, user: User, subresource: str) -> Write:
    """The writer and the options of a write."""
    query = request.query
    agent = request.headers.get("user-agent", "unknown").partition("/")[0]
    return Write(
        user=user.name,
        manager=query.get("fieldManager") or agent,
        dry_run=dry_run(request),
        force=flag(request, "force"),
        validation=query.get("fieldValidation") or "Warn",
        subresource=subresource,
    )


def dry_run(request: Request) -> bool:
    """Whether the request is a dry run; raises `Refused` (400)."""
    told = request.query.get("dryRun")
    if told not in (None, "", "All"):
        raise bad_request(f'dryRun: Unsupported value: "{told}": supported values: "All"')
    return told == "All"


def deletion(request: Request) -> Deletion:
    """The options of a deletion."""
    told = body(request) if request.body else {}
    conditions = told.get("preconditions") or {}
    policy = told.get("propagationPolicy") or request.query.get("propagationPolicy") or "Background"
    return Deletion(uid=conditions.get("uid"), version=conditions.get("resourceVersion"), policy=policy)


def body(request: Request) -> Any:
    """The body, JSON or YAML; raises `Refused` (400, 415)."""
    kind = media_type(request)
    if "protobuf" in kind or "cbor" in kind:
        raise unsupported("application/json, application/yaml")
    in_yaml = "yaml" in kind and request.body[:1] != b"{"
    try:
        return yaml.safe_load(request.body) if in_yaml else json.loads(request.body)
    except (ValueError, yaml.YAMLError) as error:
        raise bad_request(f"the body of the request cannot be read: {error}") from error


def whole(content: object) -> Object:
    """The content as an object, whose metadata, if any, must be an object too; raises `Refused` (400)."""
    if not isinstance(content, dict) or not isinstance(content.get("metadata", {}), dict):
        raise bad_request("the body of the request is not a Kubernetes object")
    return content


def media_type(request: Request) -> str:
    """The media type of the body."""
    return request.headers.get("content-type", "application/json").partition(";")[0].strip()


def selectors(request: Request) -> tuple[str, str]:
    """Label and field selector."""
    return request.query.get("labelSelector", ""), request.query.get("fieldSelector", "")


def flag(request: Request, name: str) -> bool:
    """A parameter that is true or false."""
    return request.query.get(name, "").lower() in ("true", "1")


def include(request: Request) -> str:
    """Which part of each object a table includes."""
    return request.query.get("includeObject") or "Metadata"


def number(request: Request, name: str) -> float | None:
    """A numeric parameter, None when it is missing; raises `Refused` (400)."""
    text = request.query.get(name, "")
    if text and not text.isdecimal():
        raise bad_request(f"{name}: Invalid value: {text!r}")
    return float(text) if text else None
