"""The type of decoded JSON, and the texts within it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# What may be written as JSON. Covariant, so that a `list[str]` is one.
JsonValue = Mapping[str, "JsonValue"] | Sequence["JsonValue"] | str | int | float | bool | None

# A decoded object. Its members are checked by schemas when it comes in, not by mypy: a recursive union would
# have to be narrowed at every access.
JsonObject = dict[str, Any]


def texts_of(value: object) -> Iterator[str]:
    """Every text within a JSON value, the names of members too; in no order, however deep it is nested."""
    left = [value]
    while left:
        found = left.pop()
        if isinstance(found, dict):
            left += found.keys()
            left += found.values()
        elif isinstance(found, list):
            left += found
        elif isinstance(found, str):
            yield found
