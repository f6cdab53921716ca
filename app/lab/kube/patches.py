"""The three kinds of patches that change what is there: merge, JSON and strategic merge."""

import copy
from typing import Any

from app.lab.kube.errors import Refused, bad_request

# The lists of built-in kinds that a strategic merge patch does not replace, and what tells their items apart;
# None is a list of plain values.
_MERGED: dict[tuple[str, ...], str | None] = {
    ("metadata", "finalizers"): None,
    ("metadata", "ownerReferences"): "uid",
    ("status", "conditions"): "type",
    ("secrets",): "name",
    ("imagePullSecrets",): "name",
}


def merged(target: object, patch: object) -> object:
    """The target after an RFC 7396 merge patch; null removes."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def strategic(target: object, patch: object, path: tuple[str, ...] = ()) -> object:
    """The target after a strategic merge patch with its directives."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) and patch.get("$patch") != "replace" else {}
    for name, value in patch.items():
        where = (*path, name)
        if name.startswith("$deleteFromPrimitiveList/"):
            field = name.partition("/")[2]
            result[field] = [one for one in result.get(field, []) if one not in value]
        elif name.startswith("$"):
            continue
        elif value is None:
            result.pop(name, None)
        elif isinstance(value, list) and where in _MERGED:
            result[name] = _merged_list(result.get(name) or [], value, _MERGED[where])
        else:
            result[name] = strategic(result.get(name), value, where)
    return result


def _merged_list(items: list[Any], patch: list[Any], key: str | None) -> list[object]:
    if key is None:
        return items + [one for one in patch if one not in items]
    found = {item[key]: item for item in items}
    for one in patch:
        if key not in one:
            raise bad_request(f"map: {one} does not contain declared merge key: {key}")
        if one.get("$patch") == "delete":
            found.pop(one[key], None)
        else:
            found[one[key]] = strategic(found.get(one[key]), one)
    return list(found.values())


def json_patched(target: object, operations: object) -> object:
    """The target after an RFC 6902 patch; raises `Refused` (422 when it does not fit the target)."""
    if not isinstance(operations, list):
        raise bad_request("a JSON patch must be a list of operations")
    root = {"": copy.deepcopy(target)}
    for one in operations:
        try:
            _operate(root, one)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            why = f"the server rejected our request due to an error in our request: {one}: {error}"
            raise Refused(422, "Invalid", why) from error
    return root[""]


def _operate(root: dict[str, object], one: dict[str, Any]) -> None:
    operation, path = one["op"], _pointer(one["path"])
    if operation == "test":
        if _value(root, path) != one["value"]:
            raise ValueError("testing value failed")
    elif operation == "remove":
        _removed(root, path)
    elif operation == "add":
        _add(root, path, copy.deepcopy(one["value"]))
    elif operation == "replace":
        _removed(root, path)
        _add(root, path, copy.deepcopy(one["value"]))
    elif operation == "move":
        _add(root, path, _removed(root, _pointer(one["from"])))
    elif operation == "copy":
        _add(root, path, copy.deepcopy(_value(root, _pointer(one["from"]))))
    else:
        raise ValueError("unexpected kind")


def _pointer(text: str) -> list[str]:
    """The parts of a JSON pointer; the whole document is the field with the empty name."""
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")]


def _parent(root: dict[str, object], path: list[str]) -> Any:
    where: Any = root
    for part in path[:-1]:
        where = where[int(part)] if isinstance(where, list) else where[part]
    return where


def _value(root: dict[str, object], path: list[str]) -> object:
    where = _parent(root, path)
    return where[int(path[-1])] if isinstance(where, list) else where[path[-1]]


def _removed(root: dict[str, object], path: list[str]) -> object:
    where = _parent(root, path)
    return where.pop(int(path[-1]) if isinstance(where, list) else path[-1])


def _add(root: dict[str, object], path: list[str], value: object) -> None:
    where, last = _parent(root, path), path[-1]
    if isinstance(where, dict):
        where[last] = value
    elif last == "-":
        where.append(value)
    elif 0 <= int(last) <= len(where):
        where.insert(int(last), value)
    else:
        raise IndexError("index out of range")
