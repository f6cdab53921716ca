"""Text that every database can store: neither NUL nor half a surrogate pair."""

import re
from typing import Any

UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def legible(value: object) -> Any:
    """The value with U+FFFD in place of every such character of its texts."""
    if isinstance(value, str):
        return UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {legible(name): legible(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [legible(one) for one in value]
    return value
