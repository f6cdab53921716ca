"""What differs between two JSON values, by dotted names; pure.

    differences({"image": {"url": "a"}}, {"image": {"url": "b"}})   # [Difference("image.url", "a", "b")]

A list is compared place by place. A value that was hidden and is
not given is no difference: it stands as it was.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from app.auth.secrets import REDACTED

MISSING = object()
LONGEST = 200


@dataclass(frozen=True)
class Difference:
    """A member that is another, is new, or is left out; the values are as people read them."""

    name: str
    old: str | None  # None: it was not there.
    new: str | None  # None: it is there no longer.


def differences(old: object, new: object, name: str = "") -> list[Difference]:
    """Where two values differ, in the order of the older one."""
    return list(_differing(old, new, name))


def _differing(old: object, new: object, name: str) -> Iterator[Difference]:
    if old == new or (old == REDACTED and new is MISSING):
        return
    pairs = _pairs(old, new)
    if pairs is None:
        yield Difference(name, _shown(old), _shown(new))
        return
    for key, before, after in pairs:
        yield from _differing(before, after, f"{name}.{key}" if name else str(key))


def _pairs(old: object, new: object) -> list[tuple[object, object, object]] | None:
    """The members of both, where both are objects or both are lists."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        keys = [*old, *(key for key in new if key not in old)]
        return [(key, old.get(key, MISSING), new.get(key, MISSING)) for key in keys]
    if isinstance(old, list) and isinstance(new, list):
        before, after = dict(enumerate(old)), dict(enumerate(new))
        longer = range(max(len(old), len(new)))
        return [(at, before.get(at, MISSING), after.get(at, MISSING)) for at in longer]
    return None


def _shown(value: object) -> str | None:
    if value is MISSING:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
