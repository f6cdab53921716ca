"""The type of decoded JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

# What may be written as JSON. Covariant, so that a `list[str]` is one.
JsonValue = Mapping[str, "JsonValue"] | Sequence["JsonValue"] | str | int | float | bool | None

# A decoded object. Its members are checked by schemas when it comes in, not by mypy: a recursive union would
# have to be narrowed at every access.
JsonObject = dict[str, Any]
