"""Reading the members of a decoded document: each problem is noted under the path of its member."""

import re
from collections.abc import Collection, Mapping
from typing import Any, NoReturn, TypeVar

from app.domain.batch.invalid import InvalidDefinition
from app.domain.errors import ValidationFailed

T = TypeVar("T")
Known = dict[str, None]  # Names of members, in the order in which a refusal lists them.


class Problems:
    """What is wrong with a document, by path."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self.unknown: list[InvalidDefinition] = []  # A provider, a type that there is not.

    def add(self, path: str, problem: str) -> None:
        """Note a problem; the first one of a member counts."""
        self.fields.setdefault(path, problem)

    def refuse(self) -> None:
        """Raise `InvalidDefinition` when anything was noted."""
        if self.fields:
            _refuse(self.fields)
        if self.unknown:
            raise self.unknown[0]


class Members:
    """The members of one object; unknown ones are problems."""

    __slots__ = ("_found", "_path", "_problems")

    def __init__(self, found: Mapping[str, Any], path: str, known: Known, problems: Problems) -> None:
        self._found, self._path, self._problems = found, path, problems
        if not found.keys() <= known.keys():
            for name in found:
                if name not in known:
                    problems.add(self.path(name), f"Unknown member; known are {', '.join(known)}")

    def path(self, name: str) -> str:
        """The path of a member."""
        return f"{self._path}.{name[:64]}" if self._path else name[:64]

    def raw(self, name: str) -> object:
        """The value as it is, None when it is absent."""
        return self._found.get(name)

    def text(self, name: str, default: str | None = None, *, most: int = 128) -> str:
        """A text of 1 to ``most`` characters; required without a default."""
        value = self._found.get(name, default)
        if isinstance(value, str) and 0 < len(value) <= most and "\0" not in value and value.isprintable():
            return value
        return self._wrong(name, f"Must be a text of 1 to {most} printable characters", "")

    def match(self, name: str, pattern: re.Pattern[str], rule: str) -> str:
        """A text of a form."""
        value = self._found.get(name)
        if isinstance(value, str) and pattern.fullmatch(value):
            return value
        return self._wrong(name, f"Must be {rule}", "")

    def word(self, name: str, words: Collection[str], default: str) -> str:
        """One of a closed set of words."""
        value = self._found.get(name, default)
        if isinstance(value, str) and value in words:
            return value
        return self._wrong(name, f"Must be one of {', '.join(words)}", default)

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number within bounds; 3.0 is one, since Nickel knows one kind of number."""
        value = self._found.get(name, default)
        if _is_number(value) and least <= value <= most and value == int(value):
            return int(value)
        return self._wrong(name, f"Must be a whole number from {least} to {most}", default)

    def number(self, name: str, default: float, most: float) -> float:
        """A number of seconds from 0."""
        value = self._found.get(name, default)
        if _is_number(value) and 0 <= value <= most:
            return float(value)
        return self._wrong(name, f"Must be a number from 0 to {most:g}", default)

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self._found.get(name, default)
        return value if isinstance(value, bool) else self._wrong(name, "Must be true or false", default)

    def object(self, name: str) -> Mapping[str, object] | None:
        """An object, None when it is absent."""
        value = self._found.get(name)
        if value is None and name not in self._found:
            return None
        return value if isinstance(value, dict) else self._wrong(name, "Must be an object", None)

    def list(self, name: str, *, required: bool = False) -> list[Any]:
        """A list; an absent one is empty, and a problem when one is required."""
        if name not in self._found and not required:
            return []
        value = self._found.get(name)
        if isinstance(value, list) and (value or not required):
            return value
        return self._wrong(name, f"Must be a list{' with one member or more' if required else ''}", [])

    def names(
        self, name: str, pattern: re.Pattern[str], rule: str, *, required: bool = False
    ) -> tuple[str, ...]:
        """A list of different texts of a form."""
        found = self.list(name, required=required)
        for index, one in enumerate(found):
            if not (isinstance(one, str) and pattern.fullmatch(one)):
                self._problems.add(f"{self.path(name)}[{index}]", f"Must be {rule}")
                return ()
        twice = _first_twice(found)
        if twice is not None:
            self._problems.add(self.path(name), f"Names {twice} more than once")
        return tuple(found)

    def _wrong(self, name: str, problem: str, instead: T) -> T:
        said = problem if name in self._found else f"Is missing. {problem}"
        self._problems.add(self.path(name), said)
        return instead


def _first_twice(names: list[str]) -> str | None:
    """The first name that has come before; one walk, since a body has room for a million names."""
    seen: set[str] = set()
    for one in names:
        if one in seen:
            return one
        seen.add(one)
    return None


def _is_number(value: object) -> bool:
    """Whether it can be compared with bounds; NaN is within none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _refuse(fields: Mapping[str, str]) -> NoReturn:
    shown = ValidationFailed.many(fields)
    raise InvalidDefinition("INVALID_DEFINITION", shown.message, shown.details)


def depth_of(value: object) -> int:
    """How deep lists and objects are nested; no recursion, since the value may come from anybody."""
    deepest, left = 0, [(value, 1)]
    while left:
        one, depth = left.pop()
        inner = one.values() if isinstance(one, dict) else one if isinstance(one, list) else None
        if inner is None:
            continue
        deepest = max(deepest, depth)
        left.extend((member, depth + 1) for member in inner)
    return deepest
