"""The OpenAPI 3.1 document, made from the decorators of the views; ``docs/openapi.json`` is its snapshot."""

import http
import re
from typing import Any

from flask import Flask
from marshmallow import fields, validate

from app.api.http.family import EXAMPLE_META, Meta, spoken
from app.api.http.schemas import Shape
from app.domain import errors
from app.domain.batch.invalid import InvalidDefinition
from app.domain.errors import Rejected, WindlassError

VERSION = "1.0.0"
DESCRIPTION = """\
Windlass runs workflows on infrastructure: a request becomes a run of steps; everything that happened stays
readable and undoable.

Every success is `{success, data, meta}`. Every refusal is `application/problem+json` (RFC 9457) with
`success: false` and `error{code, message, details}` beside the standard members; `details.fields` names each
wrong field. What takes long answers 202 with `Location` and `Retry-After`.

Under `/api/workflows`, the interface of code workflows, answers are bare: the thing itself, a list of things,
or `{"error": {"code", "message", "details"}}`.

Under `/v1/workflows/batch` names are in snake_case, a success is `{success, data}` with `pagination` beside
it, and a refusal `{success: false, error, code, details}`, in which `error` is a sentence.

Any POST takes `Idempotency-Key`: the same key with the same body gives the stored answer for 24 hours
(`Idempotency-Replayed: true`); with another body, or while the first is in flight, 409.
"""
API = {
    "API_TITLE": "Windlass",
    "API_VERSION": VERSION,
    "OPENAPI_VERSION": "3.1.0",
    "API_SPEC_OPTIONS": {
        "info": {"description": DESCRIPTION, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "components": {
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "`Authorization: Bearer wlk_…`; not needed on loopback only.",
                }
            }
        },
    },
}
# What a caller meets most often, where refusals of several codes share a status.
USUAL: dict[int, type[WindlassError]] = {422: InvalidDefinition, 503: errors.Unavailable}
STATUSES = (400, 401, 403, 404, 406, 409, 410, 412, 413, 415, 422, 429, 500, 503)


class ErrorBody(Shape):
    """The ``error`` member of a problem."""

    code = fields.String(required=True)
    message = fields.String(required=True)
    details = fields.Dict(keys=fields.String(), metadata={"description": "`fields` names each wrong field."})


class Problem(Shape):
    """A refusal or a failure."""

    type = fields.String(required=True, metadata={"format": "uri-reference"})
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    instance = fields.String(required=True)
    success = fields.Boolean(required=True, validate=validate.Equal(False))
    error = fields.Nested(ErrorBody, required=True)
    meta = fields.Nested(Meta, required=True)


class BareProblem(Shape):
    """A refusal or a failure where answers are bare."""

    error = fields.Nested(ErrorBody, required=True)


class BatchRefusal(Shape):
    """A refusal or a failure where batches are asked for."""

    success = fields.Boolean(required=True, validate=validate.Equal(False))
    error = fields.String(required=True)
    code = fields.String(required=True)
    details = fields.Dict(keys=fields.String(), metadata={"description": "`fields` names each wrong field."})


def document(app: Flask) -> dict[str, Any]:
    """The document as plain data, the same at every call and on every machine."""
    found: dict[str, Any] = app.extensions["windlass.openapi"].spec.to_dict()
    return {**found, "paths": dict(_spoken(path, item) for path, item in found["paths"].items())}


def _spoken(path: str, item: dict[str, Any]) -> tuple[str, dict[str, object]]:
    """A path and its operations, with the names that callers know the parts of the path by."""
    if "parameters" not in item:
        return path, item
    parts = [{**one, "name": spoken(one["name"], path)} for one in item["parameters"]]
    return re.sub(r"{(\w+)}", lambda part: f"{{{spoken(part[1], path)}}}", path), {
        **item,
        "parameters": parts,
    }


def describe_problems(api: Any) -> None:
    """Give the document one response for each status that a refusal can have."""
    for status in STATUSES:
        example = _example(status)
        forms = {
            "Problem": {"application/problem+json": {"schema": Problem, "example": example}},
            "Error": {"application/json": {"schema": BareProblem, "example": {"error": example["error"]}}},
            "Refusal": {"application/json": {"schema": BatchRefusal, "example": _said(example["error"])}},
        }
        for name, content in forms.items():
            response = {"description": http.HTTPStatus(status).phrase, "content": content, **_headers(status)}
            api.spec.components.response(f"{name}{status}", response, lazy=True)


def codes() -> list[type[WindlassError]]:
    """Every kind of refusal, by status and code."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Rejected)]
    return sorted((kind for kind in kinds if kind is not Rejected), key=lambda kind: (kind.status, kind.code))


def _said(error: dict[str, object]) -> dict[str, object]:
    return {"success": False, "error": error["message"], "code": error["code"]}


def _headers(status: int) -> dict[str, object]:
    if status not in (429, 503):
        return {}
    return {"headers": {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}}


def _example(status: int) -> dict[str, Any]:
    found = (kind for kind in codes() if kind.status == status)
    kind = USUAL.get(status) or next(found, WindlassError)
    message = (kind.__doc__ or "").strip()
    return {
        "type": f"/docs/problems#{kind.code.lower().replace('_', '-')}",
        "title": http.HTTPStatus(status).phrase,
        "status": status,
        "detail": message,
        "instance": "/v1/workflows/runs",
        "success": False,
        "error": {"code": kind.code, "message": message},
        "meta": EXAMPLE_META,
    }
