"""Cleans values from a controller, so that they can be stored and shown.

Fields of fixed width are padded with NUL, blanks or the 0xFF of erased memory; some firmware sends half a
surrogate pair, control characters that would act on a terminal, or numbers that JSON does not have.
"""

import math
import unicodedata
from dataclasses import replace
from typing import Any

from app.providers.bmc.target import Identity

LONGEST = 4_096  # Characters of one text that are kept.
DEEPEST = 16
UNWRITABLE = {"Cc", "Cs"}  # Control characters, halves of surrogate pairs.


def text(value: object) -> str | None:
    """A text without its padding, None for an empty one; numbers become text, any other type None."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return _tidy(str(value)) or None


def values(value: object, depth: int = DEEPEST) -> Any:
    """A nested structure with all its texts and numbers cleaned; levels below ``depth`` become None."""
    if isinstance(value, str):
        return _tidy(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {_tidy(str(name)): values(one, depth - 1) for name, one in value.items()} if depth else None
    if isinstance(value, list | tuple):
        return [values(one, depth - 1) for one in value] if depth else None
    return value


def identity(told: Identity) -> Identity:
    """An identity with all its texts cleaned."""
    return replace(told, **{name: text(value) for name, value in vars(told).items()})


def _tidy(told: str) -> str:
    bare = told[:LONGEST].strip("\0 \t\r\n").translate({ord(blank): " " for blank in "\t\r\n"})
    return "".join("\ufffd" if unicodedata.category(one) in UNWRITABLE else one for one in bare)
