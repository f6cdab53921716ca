"""The routes of batches: snake_case in ``{success, data}``, with ``pagination`` beside it for pages."""

from collections.abc import Callable
from typing import Any

from flask import g
from marshmallow import Schema, fields, validate

from app.api.http.family import Family, View
from app.api.http.problems import BATCH_PATH as PATH

__all__ = ["PATH", "BatchFamily"]
NICKEL = "text/x-nickel"
_ANSWERS: dict[tuple[type[Schema], bool], type[Schema]] = {}


class BatchFamily(Family):
    """A family whose successes are ``{success, data}`` and whose refusals are plain sentences with a code."""

    refusals = "Refusal"

    def serve(self, method: str, path: str, operation: str, **said: Any) -> Callable[[View], View]:
        """Serve one operation, in JSON where it names no other media type."""
        return super().serve(method, path, operation, **{"offers": ("application/json",), **said})

    def definition(self, *, example: object) -> Callable[[View], View]:
        """Tell in the document that the body is a definition, in Nickel or in JSON; the view reads it."""
        content = {
            NICKEL: {"schema": {"type": "string"}},
            "application/json": {"schema": {"type": "object"}, "example": example},
        }
        decorate: Callable[[View], View] = self.doc(requestBody={"required": True, "content": content})
        return decorate

    @staticmethod
    def _example(data: object) -> object:
        return {"success": True, "data": data}

    @staticmethod
    def _make_doc_response_schema(schema: object) -> object:
        return _answer(schema) if isinstance(schema, Schema) else schema

    @staticmethod
    def _prepare_response_content(data: object) -> object:
        pages = {"pagination": g.meta["pagination"]} if "pagination" in g.meta else {}
        return {"success": True, "data": data, **pages}


class BatchPagination(Schema):
    """Where a page stands in its list."""

    total = fields.Integer(required=True)
    limit = fields.Integer(required=True)
    offset = fields.Integer(required=True)


def _answer(schema: Schema) -> Schema:
    """The documented shape of a success with this data."""
    kind, many = type(schema), bool(schema.many)
    if (kind, many) not in _ANSWERS:
        data = fields.List(fields.Nested(kind), required=True) if many else fields.Nested(kind, required=True)
        members: dict[str, object] = {
            "success": fields.Boolean(required=True, validate=validate.Equal(True)),
            "data": data,
            **({"pagination": fields.Nested(BatchPagination)} if many else {}),
        }
        name = f"{kind.__name__}{'List' if many else ''}Answer"
        _ANSWERS[kind, many] = type(name, (Schema,), members)
    return _ANSWERS[kind, many]()
