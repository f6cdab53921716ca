"""Sets of fields: who owns what in an object, as ``managedFields`` of server-side apply keeps it.

A path is a tuple of elements in the notation of ``fieldsV1``: ``f:name`` is a field, ``k:{"type":"Ready"}``
an item of a list by its keys, ``v:"text"`` a plain value in a set, and ``.`` the item itself.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Path = tuple[str, ...]
Fields = frozenset[Path]
Schema = Mapping[str, Any]

# What the server alone writes, and what names the object, belongs to nobody.
_NOBODYS = frozenset(
    ("f:metadata", f"f:{name}")
    for name in (
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "managedFields",
        "selfLink",
        "generateName",
    )
) | {("f:apiVersion",), ("f:kind",)}

METADATA: Schema = {
    "properties": {
        "finalizers": {"x-kubernetes-list-type": "set"},
        "ownerReferences": {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["uid"]},
    }
}


def with_metadata(schema: Schema | None) -> Schema:
    """A kind's schema that also knows the lists of the metadata."""
    return {"properties": {**(schema or {}).get("properties", {}), "metadata": METADATA}}


def owned(value: object, schema: Schema) -> dict[Path, object]:
    """Every field of an object that can have an owner, with what stands there."""
    return {
        path: found
        for path, found in _leaves(value, schema, ())
        if path[:2] not in _NOBODYS and path not in _NOBODYS
    }


def _leaves(value: object, schema: Schema, at: Path) -> Iterator[tuple[Path, object]]:
    if isinstance(value, dict) and value and schema.get("x-kubernetes-map-type") != "atomic":
        for name, inner in value.items():
            yield from _leaves(inner, below(schema, name), (*at, f"f:{name}"))
    elif isinstance(value, list) and value and list_type(schema) == "map":
        for item in value:
            where = (*at, item_element(item, schema))
            yield (*where, "."), None
            yield from _leaves(item, schema.get("items", {}), where)
    elif isinstance(value, list) and value and list_type(schema) == "set":
        for item in value:
            yield (*at, f"v:{json.dumps(item)}"), None
    elif at:
        yield at, value


def below(schema: Schema, name: str) -> Schema:
    """The schema of a field of an object."""
    found = schema.get("properties", {}).get(name)
    if found is None:
        found = schema.get("additionalProperties")
    return found if isinstance(found, Mapping) else {}


def list_type(schema: Schema) -> str:
    return str(schema.get("x-kubernetes-list-type", "atomic"))


def item_element(item: Any, schema: Schema) -> str:
    """What tells an item of a list from the others."""
    keys = schema.get("x-kubernetes-list-map-keys", ())
    return f"k:{json.dumps({key: item.get(key) for key in keys}, separators=(',', ':'))}"


def value_at(value: object, path: Path) -> object:
    """What stands in a field, None when it is not there."""
    for element in path:
        how, _, text = element.partition(":")
        if element == ".":
            continue
        if how == "f":
            value = value.get(text) if isinstance(value, dict) else None
        elif not isinstance(value, list):
            return None
        elif how == "k":
            value = next((item for item in value if _is(item, json.loads(text))), None)
        else:
            wanted = json.loads(text)
            return wanted if wanted in value else None
    return value


def without(value: object, path: Path) -> None:
    """Remove a field, and what it leaves empty of the items it stood in."""
    parent, last = value_at(value, path[:-1]), path[-1]
    how, _, text = last.partition(":")
    if last == ".":
        item, items = parent, value_at(value, path[:-2])
        if isinstance(items, list) and item in items:
            items.remove(item)
    elif how == "f" and isinstance(parent, dict):
        parent.pop(text, None)
        if not parent and len(path) > 1 and path[-2].startswith("f:"):
            without(value, path[:-1])
    elif how == "v" and isinstance(parent, list) and json.loads(text) in parent:
        parent.remove(json.loads(text))


def _is(item: object, keys: Mapping[str, object]) -> bool:
    return isinstance(item, dict) and all(item.get(key) == wanted for key, wanted in keys.items())


def encode(fields: Iterable[Path]) -> dict[str, object]:
    """The set as ``fieldsV1``."""
    tree: dict[str, Any] = {}
    for path in sorted(fields):
        where = tree
        for element in path:
            where = where.setdefault(element, {})
    return tree


def decode(tree: Mapping[str, Any], at: Path = ()) -> Fields:
    """The set out of ``fieldsV1``."""
    if not tree:
        return frozenset({at}) if at else frozenset()
    found: set[Path] = set()
    for element, inner in tree.items():
        found |= decode(inner, (*at, element))
    return frozenset(found)


def dotted(path: Path) -> str:
    """A path as messages write it."""
    text = ""
    for element in path:
        how, _, name = element.partition(":")
        if how == "f":
            text += f".{name}"
        elif how == "k":
            pairs = json.loads(name).items()
            text += f"[{','.join(f'{key}={json.dumps(value)}' for key, value in pairs)}]"
        elif how == "v":
            text += f"[={name}]"
    return text
