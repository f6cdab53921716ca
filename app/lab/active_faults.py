"""Faults of the lab: their JSON form, and which faults are active and how often they still apply."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Generic, Self, TypeVar

from app.domain.errors import ValidationFailed
from windlass.decode import camel

LONGEST_S = 3600.0


def _fault(
    default: object,
    problem: str,
    fits: Callable[[object], bool],
    read: Callable[[Any], object] = lambda value: value,
    *,
    coin: bool = False,
) -> object:
    return field(default=default, metadata={"problem": problem, "fits": fits, "read": read, "coin": coin})


def _number(most: float) -> Callable[[Any], bool]:
    return lambda value: type(value) in (int, float) and 0 <= value <= most


def switch() -> Any:
    """A fault that is on or off."""
    return _fault(False, "must be true or false", lambda value: type(value) is bool)


def share() -> Any:
    """The share of requests that a fault affects, from 0 to 1, chosen by the seeded generator."""
    return _fault(0.0, "must be a number from 0 to 1", _number(1.0), float, coin=True)


def seconds() -> Any:
    """A duration in seconds."""
    return _fault(0.0, f"must be a number from 0 to {LONGEST_S:g}", _number(LONGEST_S), float)


def whole(default: int | None) -> Any:
    """A whole number."""
    problem = "must be a whole number that is not negative"
    return _fault(default, problem, lambda value: type(value) is int and value >= 0)


def one_of(default: int | str, *others: int | str) -> Any:
    """One of some values; an empty default means none."""
    known = [value for value in (default, *others) if value]
    return _fault(default, f"must be one of {', '.join(map(str, known))}", (default, *others).__contains__)


def names(what: str, known: tuple[str, ...] = ()) -> Any:
    """A set of names, restricted to ``known`` unless that is empty."""

    def fits(value: Any) -> bool:
        texts = isinstance(value, list) and all(isinstance(one, str) for one in value)
        return texts and (not known or set(value) <= set(known))

    return _fault((), f"must be a list of {', '.join(known) or what}", fits, tuple)


@dataclass(frozen=True, kw_only=True)
class Faults:
    """The faults of one part of the lab, none by default. Subclasses add fields by the functions above."""

    fail_times: int | None = whole(None)
    seed: int = whole(0)

    @classmethod
    def from_json(cls, body: object) -> Self:
        """Read the JSON form; raises `ValidationFailed` and names the field."""
        if not isinstance(body, Mapping):
            raise ValidationFailed.of("faults", "must be an object")
        known, values = {camel(one.name): one for one in fields(cls)}, {}
        for key, value in body.items():
            if key not in known:
                raise ValidationFailed.of(f"faults.{key}", f"unknown; one of {', '.join(known)}")
            told = known[key].metadata
            if not told["fits"](value):
                raise ValidationFailed.of(f"faults.{key}", told["problem"])
            values[known[key].name] = told["read"](value)
        return cls(**values)

    def to_json(self) -> dict[str, object]:
        """The faults that are set."""
        found = {one: getattr(self, one.name) for one in fields(self)}
        return {camel(one.name): value for one, value in found.items() if value != one.default}


F = TypeVar("F", bound=Faults)


class ActiveFaults(Generic[F]):
    """The active faults of one part, with a count of how often they still apply.

    ``current`` is replaced as a whole, so it may be set from any thread.
    """

    def __init__(self, current: F) -> None:
        self._healthy = type(current)()
        self._by_coin = {one.name for one in fields(current) if one.metadata["coin"]}
        self._random = random.Random()  # repeatable by design, no secret hangs on it
        self.current = current

    @property
    def current(self) -> F:
        return self._current

    @current.setter
    def current(self, faults: F) -> None:
        self._current = faults
        self._left = faults.fail_times
        self._random.seed(faults.seed)

    def applies(self, fault: str) -> bool:
        """Whether this fault applies now (a share by chance); if so, uses up one of ``failTimes``."""
        value = getattr(self._current, fault)
        if not value or (fault in self._by_coin and self._random.random() >= value):
            return False
        self.count()
        return True

    def count(self) -> None:
        """Use up one of ``failTimes``; after the last one all faults end."""
        if self._left is not None:
            self._left -= 1
            if self._left <= 0:
                self.current = self._healthy
