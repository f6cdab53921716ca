"""Label and field selectors of lists and watches."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.lab.kube.errors import bad_request
from app.lab.kube.kinds import EVENTS, NAMESPACES, SECRETS, Kind
from app.lab.kube.store import Record

Test = Callable[[Record], bool]

_SET = re.compile(r"^(?P<key>[\w./-]+)\s+(?P<how>in|notin)\s+\((?P<values>[^)]*)\)$")
_EQUAL = re.compile(r"^(?P<key>[\w./-]+)\s*(?P<how>==|=|!=)\s*(?P<value>[\w.-]*)$")
_FIELD = re.compile(r"^(?P<key>[\w.]+)\s*(?P<how>==|=|!=)\s*(?P<value>.*)$")
_EXISTS = re.compile(r"^(?P<no>!?)\s*(?P<key>[\w./-]+)$")
_COMMA = re.compile(r",(?![^(]*\))")

# What can be selected beside name and namespace.
FIELDS: dict[str, tuple[str, ...]] = {
    SECRETS.id: ("type",),
    NAMESPACES.id: ("status.phase",),
    EVENTS.id: (
        "involvedObject.kind",
        "involvedObject.name",
        "involvedObject.namespace",
        "involvedObject.uid",
        "reason",
        "type",
    ),
}


@dataclass(frozen=True)
class Selector:
    """All tests must hold; without any, everything is selected."""

    tests: tuple[Test, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.tests)

    def takes(self, record: Record) -> bool:
        return all(test(record) for test in self.tests)


def selector(kind: Kind, labels: str, fields: str) -> Selector:
    """Read both selectors of a request; raises `Refused` (400)."""
    tests = [_label_test(part.strip()) for part in _COMMA.split(labels) if part.strip()]
    tests += [_field_test(kind, part.strip()) for part in fields.split(",") if part.strip()]
    return Selector(tuple(tests))


def _label_test(part: str) -> Test:
    if found := _SET.match(part):
        key, wanted = found["key"], {value.strip() for value in found["values"].split(",")}
        if found["how"] == "in":
            return lambda record: record.labels.get(key) in wanted
        return lambda record: record.labels.get(key) not in wanted
    if found := _EQUAL.match(part):
        key, value = found["key"], found["value"]
        if found["how"] == "!=":
            return lambda record: record.labels.get(key) != value
        return lambda record: record.labels.get(key) == value
    if found := _EXISTS.match(part):
        key, there = found["key"], not found["no"]
        return lambda record: (key in record.labels) == there
    raise bad_request(f"unable to parse requirement: {part!r}")


def _field_test(kind: Kind, part: str) -> Test:
    found = _FIELD.match(part)
    if not found:
        raise bad_request(f"invalid selector: {part!r}; can't understand {part!r}")
    path, value, there = found["key"], found["value"], found["how"] != "!="
    read = _reader(kind, path)
    return lambda record: (read(record) == value) == there


def _reader(kind: Kind, path: str) -> Callable[[Record], object]:
    if path == "metadata.name":
        return lambda record: record.key[1]
    if path == "metadata.namespace":
        return lambda record: record.key[0]
    if path not in FIELDS.get(kind.id, ()):
        raise bad_request(f"field label not supported: {path}")

    def read(record: Record) -> object:
        value: Any = record.object()
        for part in path.split("."):
            value = value.get(part, "")
        return value

    return read
