"""Types as their answers need them: the input's marshmallow schema as JSON Schema."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema

from app.auth.secrets import hidden


def shown(kind: Mapping[str, Any]) -> dict[str, Any]:
    """A type of the catalogue."""
    return {**hidden(kind), "inputSchema": _json_schema(kind["expects"])}


@cache
def _json_schema(expects: type[Schema]) -> dict[str, Any]:
    inline: Any = lambda schema: None  # noqa: E731 -- No name: nested schemas stand where they are used.
    plugin: Any = MarshmallowPlugin(schema_name_resolver=inline)
    APISpec("input", "1", "3.1.0", plugins=[plugin])
    found: dict[str, Any] = plugin.converter.schema2jsonschema(expects())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "additionalProperties": False, **found}
