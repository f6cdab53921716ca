"""The ways in which a BMC can be broken on purpose, and what is broken now.

dead           no answer at all
slow           seconds before each answer (the command itself is carried out at once)
drop           share (0 to 1) of datagrams lost in either direction; over HTTPS, of requests and answers
wrongPassword  every login is refused
lies           power, reset and boot commands are answered with success and do nothing
stalePower     the power reported is the one from before the last change
sessionLimit   at most that many sessions at a time
refuse         power and reset commands are refused (completion code 0xd5, or HTTP 400)
failTimes      with any of them: after biting that many times, everything is mended
seed           makes the losses of ``drop`` repeatable
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.domain.errors import ValidationFailed

_JSON = {
    "dead": "dead",
    "slow": "slow",
    "drop": "drop",
    "wrongPassword": "wrong_password",
    "lies": "lies",
    "stalePower": "stale_power",
    "sessionLimit": "session_limit",
    "refuse": "refuse",
    "failTimes": "fail_times",
    "seed": "seed",
}
_SWITCHES = {"dead", "wrong_password", "lies", "stale_power", "refuse"}
_LARGEST = {"slow": 3600.0, "drop": 1.0}


@dataclass(frozen=True, kw_only=True)
class Faults:
    """What is wrong with one BMC; nothing by default."""

    dead: bool = False
    slow: float = 0.0  # seconds
    drop: float = 0.0  # 0 to 1
    wrong_password: bool = False
    lies: bool = False
    stale_power: bool = False
    session_limit: int | None = None
    refuse: bool = False
    fail_times: int | None = None
    seed: int = 0

    @classmethod
    def from_json(cls, body: Any) -> "Faults":
        """Read the JSON form; raises `ValidationFailed` and names the field."""
        if not isinstance(body, Mapping):
            raise ValidationFailed.of("faults", "must be an object")
        return cls(**{_attribute(key): _checked(key, value) for key, value in body.items()})

    def to_json(self) -> dict[str, Any]:
        """Only what differs from a healthy BMC."""
        healthy = Faults()
        return {
            key: getattr(self, attribute)
            for key, attribute in _JSON.items()
            if getattr(self, attribute) != getattr(healthy, attribute)
        }


def _attribute(key: str) -> str:
    if key not in _JSON:
        raise ValidationFailed.of(f"faults.{key}", f"unknown; one of {', '.join(_JSON)}")
    return _JSON[key]


def _checked(key: str, value: Any) -> Any:
    attribute = _attribute(key)
    if attribute in _SWITCHES:
        if not isinstance(value, bool):
            raise ValidationFailed.of(f"faults.{key}", "must be true or false")
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ValidationFailed.of(f"faults.{key}", "must be a number that is not negative")
    if attribute in _LARGEST:
        if value > _LARGEST[attribute]:
            raise ValidationFailed.of(f"faults.{key}", f"must be at most {_LARGEST[attribute]:g}")
        return float(value)
    return int(value)


class Ailment:
    """What is wrong with one BMC right now, counting how often it has bitten.

    ``current`` is replaced as a whole, so it may be set from any thread.
    """

    def __init__(self, faults: Faults | None = None) -> None:
        self._random = random.Random()  # repeatable by design, no secret hangs on it
        self.current = faults or Faults()

    @property
    def current(self) -> Faults:
        return self._current

    @current.setter
    def current(self, faults: Faults) -> None:
        self._current = faults
        self._left = faults.fail_times
        self._random.seed(faults.seed)

    def bites(self, fault: str) -> bool:
        """Whether this fault shows now; showing uses up one of ``failTimes``."""
        if not getattr(self._current, fault):
            return False
        self._count()
        return True

    def delay(self) -> float:
        """Seconds that the next answer is held back."""
        seconds = self._current.slow
        if seconds:
            self._count()
        return seconds

    def loses(self) -> bool:
        """Whether the next datagram is lost, by the seeded coin."""
        if not self._current.drop or self._random.random() >= self._current.drop:
            return False
        self._count()
        return True

    def full(self, sessions: int) -> bool:
        """Whether there is no room for one more session."""
        limit = self._current.session_limit
        if limit is None or sessions < limit:
            return False
        self._count()
        return True

    def _count(self) -> None:
        if self._left is None:
            return
        self._left -= 1
        if self._left <= 0:
            self.current = Faults()
