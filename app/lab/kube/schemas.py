"""Structural schemas: remove what they do not know, add what they default, name what breaks them."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from app.lab.kube.store import Object

Schema = Mapping[str, Any]
Cause = tuple[str, str]  # Field and what is wrong with it.

# Always there and never judged by a kind's own schema.
_ENVELOPE = ("apiVersion", "kind", "metadata")
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}


def pruned(content: Object, schema: Schema) -> list[str]:
    """Remove the fields that the schema does not know and tell their paths."""
    return list(_prune(content, schema, "", _ENVELOPE))


def _prune(value: object, schema: Schema, at: str, spared: tuple[str, ...] = ()) -> Iterator[str]:
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _prune(item, schema.get("items", {}), f"{at}[{number}]")
    if not isinstance(value, dict):
        return
    known, more = schema.get("properties", {}), schema.get("additionalProperties")
    keeps = schema.get("x-kubernetes-preserve-unknown-fields", False)
    for name in list(value):
        where = f"{at}.{name}" if at else name
        if name in spared:
            continue
        if name in known:
            yield from _prune(value[name], known[name], where)
        elif isinstance(more, Mapping):
            yield from _prune(value[name], more, where)
        elif not keeps and not more:
            del value[name]
            yield where


def defaulted(value: object, schema: Schema) -> None:
    """Add the schema's defaults where nothing is said."""
    if isinstance(value, list):
        for item in value:
            defaulted(item, schema.get("items", {}))
    if isinstance(value, dict):
        for name, inner in schema.get("properties", {}).items():
            if name not in value and "default" in inner:
                value[name] = inner["default"]
            if name in value:
                defaulted(value[name], inner)


def broken(value: object, schema: Schema, at: str = "") -> Iterator[Cause]:
    """What in an object breaks its schema."""
    if value is None and schema.get("nullable"):
        return
    wanted = schema.get("type")
    if schema.get("x-kubernetes-int-or-string"):
        if not isinstance(value, int | str):
            yield at, f"Invalid value: {_shown(value)}: must be an integer or a string"
        return
    if wanted and (
        not isinstance(value, _TYPES[wanted]) or (isinstance(value, bool) and wanted != "boolean")
    ):
        yield (
            at or "<nil>",
            f'Invalid value: {_shown(value)}: {at} in body must be of type {wanted}: "{_kind(value)}"',
        )
        return
    if "enum" in schema and value not in schema["enum"]:
        known = ", ".join(f'"{one}"' for one in schema["enum"])
        yield at, f"Unsupported value: {_shown(value)}: supported values: {known}"
    yield from _limits(value, schema, at)
    if isinstance(value, dict):
        yield from _fields(value, schema, at)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from broken(item, schema.get("items", {}), f"{at}[{number}]")


def _fields(value: Mapping[str, object], schema: Schema, at: str) -> Iterator[Cause]:
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{at}.{name}" if at else name, "Required value"
    known, more = schema.get("properties", {}), schema.get("additionalProperties")
    for name, inner in value.items():
        if not at and name in _ENVELOPE:
            continue
        found = known.get(name, more)
        if isinstance(found, Mapping):
            yield from broken(inner, found, f"{at}.{name}" if at else name)


def _limits(value: object, schema: Schema, at: str) -> Iterator[Cause]:
    if isinstance(value, str):
        size, unit, names = len(value), "chars long", ("minLength", "maxLength")
        if "pattern" in schema and not re.search(schema["pattern"], value):
            yield at, f"Invalid value: {_shown(value)}: {at} in body should match '{schema['pattern']}'"
    elif isinstance(value, list):
        size, unit, names = len(value), "items", ("minItems", "maxItems")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if value < schema.get("minimum", value):
            least = schema["minimum"]
            yield at, f"Invalid value: {value}: {at} in body should be greater than or equal to {least}"
        if value > schema.get("maximum", value):
            most = schema["maximum"]
            yield at, f"Invalid value: {value}: {at} in body should be less than or equal to {most}"
        return
    else:
        return
    if size < schema.get(names[0], size):
        yield at, f"Invalid value: {_shown(value)}: {at} in body should be at least {schema[names[0]]} {unit}"
    if size > schema.get(names[1], size):
        yield at, f"Too long: may not be more than {schema[names[1]]} {unit}"


def frozen(before: object, after: object, schema: Schema, at: str = "") -> Iterator[Cause]:
    """Which fields changed though a rule ``self == oldSelf`` holds them."""
    for rule in schema.get("x-kubernetes-validations", ()):
        if rule["rule"] == "self == oldSelf" and before != after:
            yield at, f"Invalid value: {_shown(after)}: {rule.get('message', 'failed rule: self == oldSelf')}"
    if isinstance(before, dict) and isinstance(after, dict):
        for name, inner in schema.get("properties", {}).items():
            if name in before and name in after:
                yield from frozen(before[name], after[name], inner, f"{at}.{name}" if at else name)


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return f'"{_kind(value)}"'
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def _kind(value: object) -> str:
    for name, types in _TYPES.items():
        if isinstance(value, types) and (name == "boolean" or not isinstance(value, bool)):
            return name
    return "null"
