"""How long, as an author writes it: ``"1.5s"``, ``"10m"``, ``"3d"``, ``5000``, ``timedelta(hours=1)``."""

import logging
import math
import re
from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any

from windlass.failures import DefinitionError

Duration = str | int | float | timedelta

UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
LONGEST_MS = 3_660 * UNITS_MS["d"]  # Ten years: whatever is longer is a mistake.
TEXT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?\s*", re.ASCII)
BARE_MS = 1_000  # A bare number from here on is milliseconds, below it is seconds.

log = logging.getLogger("windlass")


def duration_ms(given: Duration, what: str = "a duration") -> int:
    """Milliseconds of a duration; a number without unit below 1000 is seconds, any other is milliseconds."""
    number, unit = _parsed(given, what)
    if unit is None:
        unit = "ms" if number >= BARE_MS else "s"
        _warn(what, str(given), unit)
    return _whole(number, unit, given, what)


def exact_ms(given: Duration, what: str = "a duration") -> int:
    """Milliseconds of a duration; a number without unit is milliseconds, however small."""
    number, unit = _parsed(given, what)
    if unit is None and 0 < number < BARE_MS:
        _warn(what, str(given), "ms")
    return _whole(number, unit or "ms", given, what)


def in_words(ms: int) -> str:
    """Milliseconds as an author would write them: 300 ms, 5 s, 10 m, 1 h."""
    unit = next(unit for unit in reversed(UNITS_MS) if ms % UNITS_MS[unit] == 0 and (ms or unit == "ms"))
    return f"{ms // UNITS_MS[unit]} {unit}"


def no_signal(wanted: Mapping[str, Any]) -> str:
    """That no signal came in time: what was wanted is the `wait` of a call."""
    within = f"within {in_words(wanted['timeout_ms'])}"
    if wanted.get("hook"):
        return f"nobody executed the hook {wanted['name']!r} {within}"
    return f"no signal {wanted['name']!r} came {within}"


def _parsed(given: Duration, what: str) -> tuple[float, str | None]:
    if isinstance(given, timedelta):
        return given.total_seconds(), "s"
    if isinstance(given, int | float) and not isinstance(given, bool):
        return given, None
    match = TEXT.fullmatch(given) if isinstance(given, str) else None
    if match is None:
        raise DefinitionError(f'{what} must be like "500ms", "5s", "10m", "1h" or "3d", not {given!r}')
    return float(match[1]), match[2]


def _whole(number: float, unit: str, given: Duration, what: str) -> int:
    if not math.isfinite(number) or not 0 <= number * UNITS_MS[unit] <= LONGEST_MS:
        raise DefinitionError(f"{what} must be between 0 and ten years, not {given!r}")
    return math.ceil(number * UNITS_MS[unit])


@lru_cache(maxsize=1024)
def _warn(what: str, given: str, unit: str) -> None:
    """Say once how a number without unit was read."""
    log.warning("%s is %s without a unit: taken as %s", what, given, unit)
