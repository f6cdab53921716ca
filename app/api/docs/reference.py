"""The OpenAPI document as what the pages show: operations by family, shapes, examples."""

import json
from collections.abc import Mapping
from typing import Any

METHODS = ("get", "post", "put", "patch", "delete")
Facts = dict[str, Any]


def families(document: Mapping[str, Any]) -> list[Facts]:
    """The families with their operations, in the order of the document."""
    found = {tag["name"]: {**tag, "operations": []} for tag in document["tags"]}
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                operation = _operation(document, path, method, item)
                found[operation["tag"]]["operations"].append(operation)
    return list(found.values())


def shapes(document: Mapping[str, Any]) -> list[Facts]:
    """The schemas with their members, by name; envelopes are left out."""
    named = sorted(document["components"]["schemas"].items())
    return [
        {"name": name, "about": schema.get("description", ""), "members": members(schema)}
        for name, schema in named
        if not name.endswith("Answer") or name == "HookAnswer"
    ]


def members(schema: Mapping[str, Any]) -> list[Facts]:
    """The members of an object: name, type, whether required, and what is said of them."""
    required = schema.get("required", ())
    return [
        {
            "name": name,
            "type": type_of(inner),
            "required": name in required,
            "about": _about(inner.get("description"), inner),
        }
        for name, inner in schema.get("properties", {}).items()
    ]


def type_of(schema: Mapping[str, Any]) -> str:
    """A schema in a few words: "integer", "list of RunSummary", "RunError or null"."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return " or ".join(type_of(inner) for inner in schema[key])
    kind = schema.get("type", "any")
    words = kind if isinstance(kind, list) else [kind]
    items = schema.get("items")
    return " or ".join(
        f"list of {type_of(items)}" if word == "array" and items else str(word) for word in words
    )


def _operation(document: Mapping[str, object], path: str, method: str, item: Mapping[str, Any]) -> Facts:
    given = item[method]
    return {
        "tag": given["tags"][0],
        "id": given["operationId"],
        "method": method.upper(),
        "path": path,
        "summary": given.get("summary", ""),
        "about": given.get("description", ""),
        "scope": given.get("x-scope"),
        "parameters": [
            _parameter(each) for each in [*item.get("parameters", ()), *given.get("parameters", ())]
        ],
        "body": _content(given.get("requestBody", {})),
        "accept": _accept(given),
        "answers": [_answer(document, status, each) for status, each in sorted(given["responses"].items())],
    }


def _parameter(given: Mapping[str, Any]) -> Facts:
    schema = given.get("schema", {})
    return {
        "name": given["name"],
        "in": given["in"],
        "type": type_of(schema),
        "required": given.get("required", False),
        "about": _about(given.get("description"), schema),
        "choices": [str(word) for word in schema.get("enum", ()) if word is not None],
    }


def _accept(given: Mapping[str, Any]) -> str:
    """The first media type of a success."""
    for status, answer in given["responses"].items():
        if status[0] == "2":
            return next(iter(answer.get("content", {})), "*/*")
    return "*/*"


def _answer(document: Mapping[str, Any], status: str, given: Mapping[str, Any]) -> Facts:
    if "$ref" in given:
        given = document["components"]["responses"][given["$ref"].rpartition("/")[2]]
    return {"status": status, "about": given.get("description", ""), "content": _content(given)}


def _content(given: Mapping[str, Any]) -> Facts | None:
    for media, content in given.get("content", {}).items():
        example = content.get("example")
        return {
            "media": media,
            "type": type_of(content.get("schema", {})),
            "example": None if example is None else json.dumps(example, indent=2, ensure_ascii=False),
        }
    return None


def _about(description: str | None, schema: Mapping[str, Any]) -> str:
    """What a value means, and its limits as a sentence of their own."""
    limits = "; ".join(_limits(schema))
    sentences = (description, limits[:1].upper() + limits[1:])
    return " ".join(f"{said.rstrip('.')}." for said in sentences if said)


def _limits(schema: Mapping[str, Any]) -> list[str]:
    said = []
    if "enum" in schema:
        said.append("one of " + ", ".join(str(value) for value in schema["enum"] if value is not None))
    limits = {
        "minimum": "at least",
        "maximum": "at most",
        "maxLength": "length at most",
        "maxItems": "at most",
    }
    said += [f"{word} {schema[name]}" for name, word in limits.items() if name in schema]
    if "default" in schema:
        said.append(f"default {json.dumps(schema['default'])}")
    return said
