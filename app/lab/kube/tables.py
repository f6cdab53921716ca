"""The tables that ``kubectl get`` prints."""

import datetime
import re
from collections.abc import Mapping

from app.lab.kube.kinds import Kind
from app.lab.kube.store import Object

_STEP = re.compile(r"\.?([\w-]+)|\[\?\(@\.([\w-]+)\s*==\s*\"([^\"]*)\"\)\]|\[(\d+)\]")


def wanted(accept: str) -> bool:
    """Whether the client would rather have a table."""
    return "as=Table" in accept.partition(",")[0].replace(" ", "")


def table(
    kind: Kind, objects: list[Object], metadata: Mapping[str, object], include: str = "Metadata"
) -> Object:
    """Objects as rows; ``include`` says what of each object goes along: Object, Metadata or None."""
    columns = [("Name", "string", "name", 0), *((c.name, c.type, "", c.priority) for c in kind.columns)]
    if not any(name == "Age" for name, *_ in columns):
        columns.append(("Age", "string", "", 0))
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": [
            {"name": name, "type": type_, "format": format_, "description": "", "priority": priority}
            for name, type_, format_, priority in columns
        ],
        "rows": [_row(kind, content, include) for content in objects],
    }


def _row(kind: Kind, content: Object, include: str) -> Object:
    cells = [content["metadata"]["name"]]
    for column in kind.columns:
        value = at(content, column.path)
        cells.append(_age(str(value)) if column.type == "date" and value else value)
    if not any(column.name == "Age" for column in kind.columns):
        cells.append(_age(content["metadata"]["creationTimestamp"]))
    if include == "None":
        return {"cells": cells}
    if include == "Metadata":
        metadata = content["metadata"]
        content = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
    return {"cells": cells, "object": content}


def at(content: object, path: str) -> object:
    """What a JSONPath points at; it knows fields, numbers and ``[?(@.field=="value")]``."""
    for field, key, value, number in _STEP.findall(path.strip("{}")):
        if field:
            content = content.get(field) if isinstance(content, dict) else None
        elif not isinstance(content, list):
            return None
        elif number:
            content = content[int(number)] if int(number) < len(content) else None
        else:
            content = next((one for one in content if one.get(key) == value), None)
    return content


def _age(timestamp: str) -> str:
    then = datetime.datetime.fromisoformat(timestamp)
    seconds = int((datetime.datetime.now(datetime.UTC) - then).total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{max(0, seconds)}s"
