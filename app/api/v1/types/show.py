"""Types as their answers need them: the input's marshmallow schema as JSON Schema."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema

from app.api.v1.runs.first import INPUTS
from app.api.v1.types.descriptions import told

PYTHONS_END = r"\Z"  # JSON Schema knows $ alone.
NAMES = {"bmc": "BMC", "url": "URL", "mac": "MAC", "cpus": "CPUs", "gpus": "GPUs", "gb": "GB", "mb": "MB"}


def shown(kind: Mapping[str, object]) -> dict[str, object]:
    """A type of the catalogue."""
    declared = {name: value for name, value in kind.items() if name != "expects"}
    return {**declared, "inputSchema": _of_type(kind["type"], kind["expects"])}


@cache
def _of_type(name: str, expects: type[Schema]) -> dict[str, object]:
    """The input of a type; of one whose resource is new with it, what makes that resource."""
    inline: Any = lambda schema: None  # noqa: E731 -- No name: nested schemas stand where they are used.
    plugin: Any = MarshmallowPlugin(schema_name_resolver=inline)
    APISpec("input", "1", "3.1.0", plugins=[plugin])
    found: dict[str, object] = plugin.converter.schema2jsonschema(INPUTS.get(name) or expects())
    shown = _shown(found, name)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "additionalProperties": False, **shown}


def _shown(found: dict[str, Any], type_name: str, path: str = "") -> dict[str, object]:
    """A schema for people and forms: its members have titles, descriptions and examples."""
    shown = {name: value for name, value in found.items() if name != "example"}
    if "example" in found:
        shown["examples"] = [found["example"]]
    if shown.get("format") == "url":
        shown["format"] = "uri"
    if "pattern" in shown:
        shown["pattern"] = f"^(?:{shown['pattern'].removesuffix(PYTHONS_END)})$"
    if "items" in shown:
        shown["items"] = _shown(shown["items"], type_name, path)
    if "properties" in shown:
        members = shown["properties"].items()
        shown["properties"] = {name: _member(name, said, type_name, path) for name, said in members}
    return shown


def _member(name: str, said: dict[str, object], type_name: str, path: str) -> dict[str, object]:
    whole = f"{path}.{name}" if path else name
    known = {"title": _title(name), **told(type_name, whole)}
    if name == "password":
        known |= {"format": "password", "writeOnly": True}
    return {**known, **_shown(said, type_name, whole)}


def _title(name: str) -> str:
    """`checksumType` as Checksum type."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower().split()
    text = " ".join(NAMES.get(word, word) for word in words if word != "id").strip()
    return text[:1].upper() + text[1:]
