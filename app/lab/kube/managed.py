"""Field managers: who last wrote which field, and what server-side apply makes of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.lab.kube.errors import conflict
from app.lab.kube.fieldsets import (
    Fields,
    Path,
    Schema,
    below,
    decode,
    dotted,
    encode,
    item_element,
    list_type,
    owned,
    value_at,
    with_metadata,
    without,
)
from app.lab.kube.kinds import Kind
from app.lab.kube.store import Object, copied

APPLY, UPDATE = "Apply", "Update"


@dataclass(frozen=True)
class Manager:
    """One who owns fields."""

    name: str
    operation: str  # Apply or Update.
    subresource: str = ""


Owners = dict[Manager, Fields]


def owners(content: Object) -> Owners:
    """Who owns what, out of ``managedFields``."""
    return {
        _manager(entry): decode(entry.get("fieldsV1", {}))
        for entry in content["metadata"].get("managedFields", [])
    }


def _manager(entry: dict[str, Any]) -> Manager:
    return Manager(entry["manager"], entry["operation"], entry.get("subresource", ""))


def updated(kind: Kind, before: Object | None, after: Object, writer: Manager) -> Owners:
    """The owners after a plain write: what it changed belongs to the writer alone."""
    schema = with_metadata(kind.schema)
    held, now = owners(before) if before else {}, owned(after, schema)
    then = owned(before, schema) if before else {}
    changed = {path for path, value in now.items() if path not in then or then[path] != value}
    kept = {who: frozenset(path for path in fields if _holds(path, now) and path not in changed)
            for who, fields in held.items()}  # fmt: skip
    kept[writer] = kept.get(writer, frozenset()) | changed
    return {who: fields for who, fields in kept.items() if fields}


def _holds(path: Path, now: Mapping[Path, object]) -> bool:
    """Whether a field is still there, as a leaf or as one that has grown inner fields."""
    return path in now or any(other[: len(path)] == path for other in now)


def _differs(before: object, after: object, path: Path) -> bool:
    return bool(value_at(before, path) != value_at(after, path))


def applied(
    kind: Kind, live: Object | None, config: Object, writer: Manager, *, force: bool
) -> tuple[Object, Owners]:
    """What is there after an apply, and who owns it then; raises `Refused` (409) on a conflict."""
    schema = with_metadata(kind.schema)
    wanted = frozenset(owned(config, schema))
    held = owners(live) if live else {}
    if live:
        taken = _taken(live, config, wanted, held, writer)
        if taken and not force:
            raise _conflict(kind, config["metadata"]["name"], taken)
        lost = {path for _, path in taken}
        held = {who: fields - lost if who != writer else fields for who, fields in held.items()}
    result: Object = _merge(copied(live or {}), config, schema)
    others = frozenset[Path]().union(*(fields for who, fields in held.items() if who != writer))
    given_up = [path for path in held.get(writer, frozenset()) if not _covers(wanted | others, path)]
    # Inner fields first, so that what they leave empty can go after them.
    for path in sorted(given_up, key=lambda path: (-len(path), path)):
        without(result, path)
    held[writer] = wanted
    return result, {who: fields for who, fields in held.items() if fields}


def _covers(fields: Fields, path: Path) -> bool:
    return any(other[: len(path)] == path for other in fields)


def _taken(
    live: Object, config: Object, wanted: Fields, held: Owners, writer: Manager
) -> list[tuple[Manager, Path]]:
    """The fields that others own and that would get another value."""
    changed = {path for path in wanted if path[-1] != "." and _differs(live, config, path)}
    return [
        (who, path)
        for who, fields in held.items()
        if who != writer
        for path in sorted(fields)
        if any(path[: len(one)] == one or one[: len(path)] == path for one in changed)
    ]


def _conflict(kind: Kind, name: str, taken: list[tuple[Manager, Path]]) -> Exception:
    told = [(_shown(who, kind), dotted(path)) for who, path in taken]
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {who}", "field": field}
        for who, field in told
    ]
    if len(told) == 1:
        return conflict(
            kind, name, f"Apply failed with 1 conflict: conflict with {told[0][0]}: {told[0][1]}", causes
        )
    fields: dict[str, list[str]] = {}
    for who, field in told:
        fields.setdefault(who, []).append(f"\n- {field}")
    all_of_them = "\n".join(f"conflicts with {who}:{''.join(lines)}" for who, lines in fields.items())
    return conflict(kind, name, f"Apply failed with {len(told)} conflicts: {all_of_them}", causes)


def _shown(who: Manager, kind: Kind) -> str:
    """A manager as messages name it."""
    subresource = f' with subresource "{who.subresource}"' if who.subresource else ""
    version = f" using {kind.api_version}" if who.operation == UPDATE else ""
    return f'"{who.name}"{subresource}{version}'


def _merge(live: object, config: object, schema: Schema) -> Any:
    """The applied configuration over what is there, as far as the schema lets them mix."""
    if (
        isinstance(config, dict)
        and isinstance(live, dict)
        and schema.get("x-kubernetes-map-type") != "atomic"
    ):
        return live | {
            name: _merge(live.get(name), value, below(schema, name)) for name, value in config.items()
        }
    if isinstance(config, list) and isinstance(live, list):
        if list_type(schema) == "set":
            return live + [item for item in config if item not in live]
        if list_type(schema) == "map":
            items = {item_element(item, schema): item for item in live}
            for item in config:
                name = item_element(item, schema)
                items[name] = _merge(items.get(name), item, schema.get("items", {}))
            return list(items.values())
    return config


def stamp(content: Object, held: Owners, api_version: str, now: str) -> None:
    """Write the owners into ``managedFields``; who changed nothing keeps the time of the last change."""
    before = {_manager(entry): entry for entry in content["metadata"].get("managedFields", [])}
    entries = []
    for who, fields in held.items():
        tree, old = encode(fields), before.get(who)
        same = old is not None and json.dumps(old["fieldsV1"], sort_keys=True) == json.dumps(
            tree, sort_keys=True
        )
        entry = {
            "manager": who.name,
            "operation": who.operation,
            "apiVersion": api_version,
            "time": old["time"] if old and same else now,
            "fieldsType": "FieldsV1",
            "fieldsV1": tree,
        }
        entries.append(entry | ({"subresource": who.subresource} if who.subresource else {}))
    content["metadata"]["managedFields"] = entries
