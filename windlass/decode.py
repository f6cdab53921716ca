"""From camelCase JSON to frozen dataclasses, driven by their annotations.

Members that a model does not know stay readable in ``raw``; members that are missing take their default,
so that an older client reads a newer service.
"""

import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Self, Union, get_args, get_origin, get_type_hints


def camel(name: str) -> str:
    """`boot_mac` as `bootMac`."""
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def as_it_is(name: str) -> str:
    """`boot_mac` as `boot_mac`."""
    return name


@dataclass(frozen=True, kw_only=True)
class Model:
    """A value that the service sent; ``etag`` names its version where the service keeps versions."""

    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    etag: str | None = field(default=None, repr=False, compare=False)

    wire = staticmethod(camel)  # How a member is spelled in JSON.

    @classmethod
    def of(cls, data: Mapping[str, object], etag: str | None = None) -> Self:
        """Read the JSON form."""
        model: object = cls  # A cache wants to hear that a class is hashable.
        values = {
            name: _read(kind, data[member])
            for name, member, kind in _plan(model)
            if data.get(member) is not None
        }
        return cls(raw=data, etag=etag, **values)


def body(**values: object) -> dict[str, Any]:
    """A JSON body from Python names, without what was not given."""
    return {camel(name.rstrip("_")): value for name, value in values.items() if value is not None}


@cache
def _plan(model: Any) -> tuple[tuple[str, str, object], ...]:
    """(attribute, JSON member, type) of each field."""
    hints = get_type_hints(model)
    return tuple(
        (name, model.wire(name), _bare(kind)) for name, kind in hints.items() if name not in ("raw", "etag")
    )


def _bare(kind: object) -> object:
    """The type without `| None`."""
    if get_origin(kind) in (Union, types.UnionType):
        return next(part for part in get_args(kind) if part is not type(None))
    return kind


def _read(kind: object, value: Any) -> object:
    if kind is datetime:
        return datetime.fromisoformat(value)
    if get_origin(kind) is tuple and isinstance(value, list):
        return tuple(_read(get_args(kind)[0], each) for each in value)
    if isinstance(kind, type) and issubclass(kind, Model) and isinstance(value, Mapping):
        return kind.of(value)
    return value
