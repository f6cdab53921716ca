"""The behaviour of a controller towards its objects, with faults.

delayMs     milliseconds of each stage on the way to what is wanted
deleteMs    milliseconds of each stage of a deletion
asleep      nothing is done at all, as if the controller were down
never       it is being worked on for ever
fail        it cannot be done, with this message (of a VM: this ``printableStatus``)
lies        it is said to be ready at once, and nothing is there
hasty       after a change it is said to be ready for a moment, before the work begins
stuck       deletions never end: the finalizer stays
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.domain.errors import ValidationFailed

_JSON = {
    "delayMs": "delay_ms",
    "deleteMs": "delete_ms",
    "asleep": "asleep",
    "never": "never",
    "fail": "fail",
    "lies": "lies",
    "hasty": "hasty",
    "stuck": "stuck",
}
_LONGEST_MS = 3_600_000


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """How one controller treats an object; well and quickly by default."""

    delay_ms: int = 100
    delete_ms: int = 100
    asleep: bool = False
    never: bool = False
    fail: str = ""
    lies: bool = False
    hasty: bool = False
    stuck: bool = False

    @classmethod
    def from_json(cls, body: object) -> "Behaviour":
        """Read the JSON form; raises `ValidationFailed` and names the field."""
        if not isinstance(body, Mapping):
            raise ValidationFailed.of("behaviour", "must be an object")
        return cls(**{_attribute(key): _checked(key, value) for key, value in body.items()})

    def to_json(self) -> dict[str, object]:
        """All of it."""
        return {key: getattr(self, attribute) for key, attribute in _JSON.items()}

    @property
    def delay(self) -> float:
        """Seconds of each stage."""
        return self.delay_ms / 1000

    @property
    def delete_delay(self) -> float:
        """Seconds of each stage of a deletion."""
        return self.delete_ms / 1000


def _attribute(key: str) -> str:
    if key not in _JSON:
        raise ValidationFailed.of(f"behaviour.{key}", f"unknown; one of {', '.join(_JSON)}")
    return _JSON[key]


def _checked(key: str, value: Any) -> Any:
    wanted = type(getattr(Behaviour(), _attribute(key)))
    if type(value) is not wanted:
        raise ValidationFailed.of(f"behaviour.{key}", f"must be of type {wanted.__name__}")
    if wanted is int and not 0 <= value <= _LONGEST_MS:
        raise ValidationFailed.of(f"behaviour.{key}", f"must be between 0 and {_LONGEST_MS}")
    return value


class Behaviours:
    """The behaviour towards all objects of one controller, and towards some by name."""

    def __init__(self) -> None:
        self.general = Behaviour()
        self.special: dict[str, Behaviour] = {}

    def of(self, name: str) -> Behaviour:
        return self.special.get(name, self.general)
