"""The ways in which an API server can be broken on purpose, and what is broken now.

dead          no answer at all
drop          share (0 to 1) of requests that are lost and never carried out
lose          share of answers to writes that are lost after the write was carried out
hang          what is lost leaves the client waiting, instead of a cut connection
slow          seconds before each answer
errors        share of requests that are answered with ``errorStatus`` (503 unless told), and not carried out
throttle      share of requests that are answered with 429 and ``retryAfter`` seconds (1 unless told)
conflicts     share of updates and patches that are refused as if somebody else had been faster
expired       every token has expired: 401
forbidden     every request is forbidden: 403
watchCut      seconds after which each watch is cut in the middle
watchMute     watches say nothing more, and their connections stay
watchDelay    seconds by which each event is late
gone          watches and lists that want to go on get 410, as the ``answer`` or as an ``event``
verbs         only these verbs suffer (get, list, watch, create, update, patch, delete, deletecollection)
resources     only these resources suffer, by their plural
failTimes     with any of them: after biting that many times, everything is mended
seed          makes the shares repeatable
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.domain.errors import ValidationFailed
from app.lab.kube.kinds import VERBS

_JSON = {
    "dead": "dead",
    "drop": "drop",
    "lose": "lose",
    "hang": "hang",
    "slow": "slow",
    "errors": "errors",
    "errorStatus": "error_status",
    "throttle": "throttle",
    "retryAfter": "retry_after",
    "conflicts": "conflicts",
    "expired": "expired",
    "forbidden": "forbidden",
    "watchCut": "watch_cut",
    "watchMute": "watch_mute",
    "watchDelay": "watch_delay",
    "gone": "gone",
    "verbs": "verbs",
    "resources": "resources",
    "failTimes": "fail_times",
    "seed": "seed",
}
_SWITCHES = ("dead", "hang", "expired", "forbidden", "watch_mute")
_SHARES = ("drop", "lose", "errors", "throttle", "conflicts")
_LISTS = ("verbs", "resources")
_LONGEST = 3600.0
_STATUSES = (500, 502, 503, 504)
_GONE = ("", "answer", "event")


@dataclass(frozen=True, kw_only=True)
class Faults:
    """What is wrong with one API server; nothing by default."""

    dead: bool = False
    drop: float = 0.0  # 0 to 1
    lose: float = 0.0  # 0 to 1
    hang: bool = False
    slow: float = 0.0  # seconds
    errors: float = 0.0  # 0 to 1
    error_status: int = 503
    throttle: float = 0.0  # 0 to 1
    retry_after: int = 1  # seconds
    conflicts: float = 0.0  # 0 to 1
    expired: bool = False
    forbidden: bool = False
    watch_cut: float = 0.0  # seconds
    watch_mute: bool = False
    watch_delay: float = 0.0  # seconds
    gone: str = ""
    verbs: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    fail_times: int | None = None
    seed: int = 0

    @classmethod
    def from_json(cls, body: Any) -> "Faults":
        """Read the JSON form; raises `ValidationFailed` and names the field."""
        if not isinstance(body, Mapping):
            raise ValidationFailed.of("faults", "must be an object")
        return cls(**{_attribute(key): _checked(key, value) for key, value in body.items()})

    def to_json(self) -> dict[str, Any]:
        """Only what differs from a healthy server."""
        healthy = Faults()
        found = {key: getattr(self, attribute) for key, attribute in _JSON.items()}
        return {key: value for key, value in found.items() if value != getattr(healthy, _JSON[key])}

    def concern(self, verb: str, resource: str) -> bool:
        """Whether a request is one of those that suffer."""
        return (not self.verbs or verb in self.verbs) and (not self.resources or resource in self.resources)


def _attribute(key: str) -> str:
    if key not in _JSON:
        raise ValidationFailed.of(f"faults.{key}", f"unknown; one of {', '.join(_JSON)}")
    return _JSON[key]


def _checked(key: str, value: Any) -> Any:
    attribute, field = _attribute(key), f"faults.{key}"
    if attribute in _SWITCHES:
        return _must(type(value) is bool, field, "must be true or false", value)
    if attribute in _LISTS:
        known = VERBS if attribute == "verbs" else None
        fine = isinstance(value, list) and all(
            isinstance(one, str) and (not known or one in known) for one in value
        )
        return tuple(
            _must(fine, field, f"must be a list of {', '.join(known) if known else 'plurals'}", value)
        )
    if attribute == "gone":
        return _must(value in _GONE, field, "must be answer or event", value)
    number = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
    _must(number, field, "must be a number that is not negative", value)
    if attribute == "error_status":
        return _must(value in _STATUSES, field, f"must be one of {', '.join(map(str, _STATUSES))}", value)
    largest = 1.0 if attribute in _SHARES else _LONGEST
    if type(getattr(Faults(), attribute)) is float:
        return float(_must(value <= largest, field, f"must be at most {largest:g}", value))
    return int(value)


def _must(fine: bool, field: str, problem: str, value: Any) -> Any:
    if not fine:
        raise ValidationFailed.of(field, problem)
    return value


class Ailment:
    """What is wrong with one server right now, counting how often it has bitten.

    ``current`` is replaced as a whole, so it may be set from any thread.
    """

    def __init__(self) -> None:
        self._random = random.Random()  # repeatable by design, no secret hangs on it
        self.current = Faults()

    @property
    def current(self) -> Faults:
        return self._current

    @current.setter
    def current(self, faults: Faults) -> None:
        self._current = faults
        self._left = faults.fail_times
        self._random.seed(faults.seed)

    def bites(self, fault: str) -> bool:
        """Whether a fault shows now, a share by the seeded coin; showing uses up one of ``failTimes``."""
        value = getattr(self._current, fault)
        if not value or (fault in _SHARES and self._random.random() >= value):
            return False
        if self._left is not None:
            self._left -= 1
            if self._left <= 0:
                self.current = Faults()
        return True
