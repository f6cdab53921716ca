"""Text that every database can store: neither NUL nor half a surrogate pair."""

from typing import Any


def legible(value: Any) -> Any:
    """The value with every such character in its texts replaced."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
    if isinstance(value, dict):
        return {legible(name): legible(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [legible(one) for one in value]
    return value
