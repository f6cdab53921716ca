"""Attributes of an exception that outlive its step: those that are plain values."""

import math
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

MOST = 20  # Attributes of one exception that are kept,
LONGEST = 1_000  # and characters of one of them.
SLOTS = ("errno", "strerror", "filename")  # An OSError keeps them outside its __dict__.


def kept(error: BaseException) -> dict[str, Any]:
    """The public attributes of an exception that are plain values: text, numbers, yes or no, None."""
    try:
        given = dict(vars(error))
    except TypeError:  # A type of the author's may have no __dict__ to look at.
        given = {}
    if isinstance(error, OSError):
        given = {name: getattr(error, name) for name in SLOTS} | given
    plain = {name: value for name, value in given.items() if not name.startswith("_") and _is_plain(value)}
    return {name: plain[name] for name in sorted(plain)[:MOST]}


def give_back(error: BaseException, attributes: object) -> None:
    """Give a rebuilt exception the attributes that were kept, where its type allows that."""
    if not isinstance(attributes, Mapping):
        return
    for name, value in attributes.items():
        with suppress(Exception):  # A type of the author's may refuse in any way; then it is left out.
            setattr(error, name, value)


def _is_plain(value: object) -> bool:
    if type(value) is str:
        return len(value) <= LONGEST and "\0" not in value and value.isprintable()
    if type(value) is float:
        return math.isfinite(value)
    return value is None or type(value) in (int, bool)
