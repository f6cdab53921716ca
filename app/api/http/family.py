"""A family of resources: a flask-smorest blueprint whose decorators say everything about an operation.

    @runs.serve("GET", "/v1/workflows/runs/<run_id>", "getRun", scope="runs:read")
    @runs.response(200, RunDetail, example=RUN)
    def get_run(run_id): ...

`serve` stands on top: it documents the statuses that follow from what stands below it (a body, a path, a
method), and it records the scope without which the application does not start (see `app.api.http.keys`).
"""

import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import partial, wraps
from typing import Any, TypeVar, cast

from flask import Request, g, request
from flask_smorest import Blueprint
from marshmallow import Schema, ValidationError, fields, validate
from webargs.flaskparser import FlaskParser
from webargs.multidictproxy import MultiDictProxy

from app.api.http import bodies, envelope
from app.api.http.problems import BATCH_PATH
from app.api.http.schemas import Shape, flattened
from app.domain.batch import words
from app.domain.errors import UnsupportedMediaType, ValidationFailed
from windlass.decode import camel

View = TypeVar("View", bound=Callable[..., object])
Before = Callable[..., None]
JSON_OFFERS = ("application/json", "application/problem+json")
PUBLIC = "public"  # In the place of a scope: no key needed.
RUN_PATTERN = "^[A-Za-z0-9_-]{1,128}$"
PATH_IDS = {
    "run_id": "run",
    "server_id": "srv",
    "pool_id": "pool",
    "cluster_id": "cls",
    "vm_id": "vm",
    "management_id": "mgt",
    "account_id": "acc",
    "webhook_id": "whk",
    "schedule_id": "sch",
    "delivery_id": "dlv",
    "key_id": "key",
    "session_id": "ses",
}

NAMED = frozenset({"srv", "pool", "cls", "vm", "mgt", "acc", "sch"})  # What may be called by a name as well.


def spoken(name: str, path: str) -> str:
    """What callers know a part of a path by: camelCase, and snake_case where all names of batches are."""
    return name if path.startswith(BATCH_PATH) else camel(name)


class StrictParser(FlaskParser):
    """Bodies by `app.api.http.bodies`; queries in which nothing is unknown and nothing is said twice."""

    DEFAULT_VALIDATION_STATUS = 400

    def load_json(self, req: Request, schema: Schema) -> object:
        """The JSON object of the body."""
        return json_body(req)

    def load_querystring(self, req: Request, schema: Schema) -> object:
        """The query, each name once unless it is a list."""
        lists = {field.data_key for field in schema.fields.values() if isinstance(field, fields.List)}
        twice = {name: "is given more than once" for name, values in req.args.lists() if len(values) > 1}
        problems = {name: problem for name, problem in twice.items() if name not in lists}
        if problems:
            raise ValidationFailed.many(problems)
        return MultiDictProxy(req.args, schema, known_multi_fields=(fields.List,))

    def handle_error(self, error: ValidationError, req: Request, schema: Schema, **_: Any) -> Any:
        """Name every wrong field."""
        messages = error.messages if isinstance(error.messages, dict) else {}
        found = {name: problem for inner in messages.values() for name, problem in flattened(inner).items()}
        problems = {_short(name): problem for name, problem in found.items()}
        raise ValidationFailed.many(problems)


def json_value(req: Request, limit: int = bodies.MEBIBYTE) -> object:
    """The JSON value that a request carries; it is parsed once."""
    if "body" not in g:
        raw = req.get_data(cache=True)
        if (raw or req.mimetype) and not _is_json(req.mimetype):
            raise UnsupportedMediaType
        if bodies.is_encoded(req.headers.get("Content-Encoding", "")):
            raise UnsupportedMediaType(f"{bodies.ENCODED}.")
        g.body = bodies.parse(raw, limit)
    return g.body


def json_body(req: Request, limit: int = bodies.MEBIBYTE) -> dict[str, object]:
    """The JSON object that a request carries."""
    found = json_value(req, limit)
    if not isinstance(found, dict):
        raise ValidationFailed.of("body", "Must be an object")
    return found


def json_list(req: Request) -> list[object]:
    """The JSON list that a request carries."""
    found = json_value(req)
    if not isinstance(found, list):
        raise ValidationFailed.of("body", "Must be a list")
    return found


class Family(Blueprint):  # type: ignore[misc]
    """One family of resources."""

    ARGUMENTS_PARSER = StrictParser(unknown="raise")
    refusals = "Problem"  # Beginning of the names under which the document keeps refusals.

    def __init__(self, name: str, description: str) -> None:
        super().__init__(name, f"app.api.v1.{name}", description=description)

    def serve(
        self,
        method: str,
        path: str,
        operation: str,
        *,
        scope: str,
        errors: tuple[int, ...] = (),
        offers: tuple[str, ...] = JSON_OFFERS,
        own_key: bool = False,
    ) -> Callable[[View], View]:
        """Serve one operation under a path, in the media types it offers, to whoever holds the scope.

        With ``own_key`` the view itself makes sure that a request which is repeated is done once.
        """

        def declare(view: View) -> View:
            doc = {"operationId": operation, "security": [] if scope == PUBLIC else [{"key": []}, {}]}
            if scope != PUBLIC:
                doc["x-scope"] = scope
            told = self.doc(**doc)(view)
            answers = told._apidoc.setdefault("response", {}).setdefault("responses", {})
            for status in sorted(_statuses(method, path, scope, view) | set(errors)):
                answers.setdefault(status, []).append(f"{self.refusals}{status}")
            told.scope, told.offers, told.asks_query = scope, offers, _asks(view, "query")
            told.own_key = own_key
            asked = told._apidoc.setdefault("arguments", {"parameters": []})["parameters"]
            asked += _header_parameters(method, answers, offers)
            self.route(path, methods=[method], endpoint=operation, parameters=_path_parameters(path))(told)
            return view

        return declare

    def arguments(
        self, schema: type[Schema] | Schema, *, location: str = "json", **given: object
    ) -> Callable[[View], View]:
        """Pass a checked body or query to the view as its first argument."""
        made = schema if isinstance(schema, Schema) else schema()  # Once, and not for every request.
        decorate: Callable[[View], View] = super().arguments(made, location=location, **given)
        return decorate

    def json_object(
        self, *, limit: int = bodies.MEBIBYTE, example: object = None, before: Before | None = None
    ) -> Callable[[View], View]:
        """Pass a JSON object of free form to the view as its first argument.

        ``before`` gets what stands in the path, and refuses what is not worth parsing a body for.
        """
        read = partial(json_body, limit=limit)
        return self._taking(read, {"type": "object"}, required=False, example=example, before=before)

    def json_list(self, schema: Schema, *, example: object = None) -> Callable[[View], View]:
        """Pass a JSON list to the view, which judges each item by itself."""
        return self._taking(json_list, schema, required=True, example=example)

    def _taking(
        self,
        read: Callable[[Request], object],
        schema: object,
        *,
        required: bool,
        example: object,
        before: Before | None = None,
    ) -> Callable[[View], View]:
        def declare(view: View) -> View:
            @wraps(view)
            def taking(*given: object, **named: object) -> object:
                if before is not None:
                    before(**named)
                return view(read(request), *given, **named)

            doc = deepcopy(getattr(view, "_apidoc", {}))
            body = {"in": "json", "required": required, "schema": schema, "example": example}
            doc.setdefault("arguments", {"parameters": []})["parameters"].append(body)
            taking._apidoc = doc  # type: ignore[attr-defined]
            return cast(View, taking)

        return declare

    def response(
        self, status: int, schema: object = None, *, example: object = None, **given: object
    ) -> Callable[[View], View]:
        """Answer in the envelope; `example` is the data alone."""
        if example is not None:
            given["example"] = self._example(example)
        if status == 202:
            given.setdefault("headers", ACCEPTED_HEADERS)
        decorate: Callable[[View], View] = super().response(status, schema, **given)
        return decorate

    def also(
        self, status: int, schema: object = None, *, example: object = None, **given: object
    ) -> Callable[[View], View]:
        """Document another success of the same operation."""
        if example is not None:
            given["example"] = self._example(example)
        decorate: Callable[[View], View] = self.alt_response(status, schema=schema, success=True, **given)
        return decorate

    @staticmethod
    def _example(data: object) -> object:
        return {"success": True, "data": data, "meta": EXAMPLE_META}

    @staticmethod
    def _make_doc_response_schema(schema: object) -> object:
        return enveloped(schema) if isinstance(schema, Schema) else schema

    @staticmethod
    def _prepare_response_content(data: object) -> object:
        return envelope.wrap(data)


class BareFamily(Family):
    """A family that answers without the envelope: the thing itself, or ``{"error": {code, message}}``."""

    refusals = "Error"

    def serve(self, method: str, path: str, operation: str, **said: Any) -> Callable[[View], View]:
        """Serve one operation, in JSON alone."""
        return super().serve(method, path, operation, **{"offers": ("application/json",), **said})

    def json_any(
        self, *, limit: int, example: object, before: Before | None = None
    ) -> Callable[[View], View]:
        """Pass any JSON value to the view as its first argument; ``before`` as in `json_object`."""
        read = partial(json_value, limit=limit)
        return self._taking(read, {}, required=False, example=example, before=before)

    @staticmethod
    def _example(data: object) -> object:
        return data

    @staticmethod
    def _make_doc_response_schema(schema: object) -> object:
        return schema

    @staticmethod
    def _prepare_response_content(data: object) -> object:
        return data


class Pagination(Shape):
    """Where a page stands in its list."""

    total = fields.Integer(required=True)
    total_is_estimate = fields.Boolean()
    page = fields.Integer(required=True)
    page_size = fields.Integer(required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = fields.String()


class Meta(Shape):
    """About the answer."""

    request_id = fields.String(required=True)
    timestamp = fields.String(required=True, metadata={"format": "date-time"})
    pagination = fields.Nested(Pagination)
    workflow_id = fields.String(metadata={"description": "The run to follow."})
    estimated_duration = fields.Integer(metadata={"description": "Milliseconds."})


EXAMPLE_META = {"requestId": "req_local-1766196422377-0f705e3ef475", "timestamp": "2026-01-13T12:00:00.000Z"}
_ENVELOPES: dict[tuple[type[Schema], bool], type[Schema]] = {}


def enveloped(schema: Schema) -> Schema:
    """The documented shape of a success with this data."""
    kind, many = type(schema), bool(schema.many)
    if (kind, many) not in _ENVELOPES:
        data = fields.List(fields.Nested(kind), required=True) if many else fields.Nested(kind, required=True)
        members = {
            "success": fields.Boolean(required=True, validate=validate.Equal(True)),
            "data": data,
            "meta": fields.Nested(Meta, required=True),
        }
        _ENVELOPES[kind, many] = type(f"{kind.__name__}{'List' if many else ''}Answer", (Shape,), members)
    return _ENVELOPES[kind, many]()


def _statuses(method: str, path: str, scope: str, view: Callable[..., object]) -> set[int]:
    """The refusals that follow from the form of an operation."""
    found = {400, 403, 406, 500, 503}
    if scope != PUBLIC:
        found.add(401)
    if "<" in path:
        found.add(404)
    if _asks(view, "json"):
        found |= {413, 415}
    if method == "POST" or any(f"<{name}>" in path for name, prefix in PATH_IDS.items() if prefix in NAMED):
        found.add(409)
    return found


def _asks(view: Callable[..., object], location: str) -> bool:
    parameters = getattr(view, "_apidoc", {}).get("arguments", {}).get("parameters", ())
    return any(parameter["in"] == location for parameter in parameters)


def _path_parameters(path: str) -> list[Mapping[str, object]]:
    return [_path_parameter(name) for name in re.findall(r"<(?:\w+:)?(\w+)>", path)]


def _path_parameter(name: str) -> Mapping[str, object]:
    prefix = PATH_IDS.get(name)
    pattern = PATH_PATTERNS.get(name)
    if prefix in NAMED:
        about = "An id, the unique beginning or end of one, a name or a serial number."
        example = f"{prefix}_01kc9v5q8w3f7x2m4n6p8r0t1v"
        text = {"type": "string", "minLength": 1, "maxLength": 255}
        said = {"required": True, "schema": text, "example": example, "description": about}
        return {"in": "path", "name": name, **said}
    if prefix is not None:
        pattern = RUN_PATTERN if prefix == "run" else f"^{prefix}_[0-9a-hjkmnp-tv-z]{{26}}$"
    schema = {"type": "string", **({"pattern": pattern} if pattern else {})}
    example = PATH_EXAMPLES.get(name, f"{prefix}_01kc9v5q8w3f7x2m4n6p8r0t1v")
    return {"in": "path", "name": name, "required": True, "schema": schema, "example": example}


def _header_parameters(method: str, answers: Mapping[Any, Any], offers: tuple[str, ...]) -> list[object]:
    """The headers that a generated client can send, by what the operation answers."""
    statuses = {int(status) for status in answers}
    wanted = {
        "Idempotency-Key": method == "POST",
        "If-Match": 412 in statuses,
        "If-None-Match": 304 in statuses,
        "Last-Event-ID": "text/event-stream" in offers,
    }
    text = {"type": "string", "maxLength": 255}
    return [
        {"in": "header", "name": name, "required": False, "schema": text, "description": HEADERS[name]}
        for name, may in wanted.items()
        if may
    ]


HEADERS = {
    "Idempotency-Key": "The same key with the same body gives the stored answer, for 24 hours.",
    "If-Match": "The ETag of what is to be changed; 412 when somebody else changed it meanwhile.",
    "If-None-Match": "The ETag of what is known; 304 when nothing has changed.",
    "Last-Event-ID": "The number of the last event that was seen; the stream goes on after it.",
}
ACCEPTED_HEADERS = {
    "Location": {"schema": {"type": "string"}, "description": "The run to follow."},
    "Retry-After": {"schema": {"type": "integer"}, "description": "Seconds until a look is worth it."},
}
PATH_PATTERNS = {
    "batch_id": RUN_PATTERN,
    "operation_id": f"^{words.ID.pattern}$",
    "type_name": r"^[a-z][a-z0-9.-]{0,63}$",
    "token": r"^[A-Za-z0-9_-]{1,128}$",
}
PATH_EXAMPLES = {
    "batch_id": "0199c1e2-7a34-7c52-9d1f-5b0f8a6c2e11",
    "operation_id": "upcloud_servers",
    "type_name": "server.provision",
    "resource": "server/srv_01kc9v5q8w3f7x2m4n6p8r0t1v",
    "token": "V2luZGxhc3MgaG9vayB0b2tlbiBvZiAyNTYgYml0cw0",
}


def _is_json(mimetype: str) -> bool:
    return mimetype == "application/json" or (
        mimetype.startswith("application/") and mimetype.endswith("+json")
    )


def _short(name: str) -> str:
    return name if len(name) <= 128 else name[:128] + "…"
