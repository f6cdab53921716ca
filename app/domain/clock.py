"""Times and durations: milliseconds inside, RFC 3339 in UTC and "10m" at the edges."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
LONGEST_MS = 52_000 * UNITS_MS["w"]  # Some thousand years: a moment so long ago still has a date.
LONGEST_PAUSE_MS = 24 * 3_600_000  # Whatever somebody else asks for.
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")


def duration_ms(value: str | int) -> int:
    """Milliseconds of "90s", "1h30m" or a number that is milliseconds already; raises `ValueError`."""
    if isinstance(value, int):
        return value
    parts = _PART.findall(value)
    if not parts or "".join(number + unit for number, unit in parts) != value.replace(" ", ""):
        raise ValueError(f'{value!r} is not a duration such as "500ms", "90s", "10m" or "1h30m"')
    total = sum(float(number) * UNITS_MS[unit] for number, unit in parts)
    if total > LONGEST_MS:
        raise ValueError(f"{value[:64]!r} is longer than {LONGEST_MS // UNITS_MS['w']} weeks")
    return round(total)


def rfc3339(at: int | None) -> str | None:
    """A point in time as RFC 3339 in UTC with milliseconds and ``Z``."""
    if at is None:
        return None
    moment = datetime.fromtimestamp(at // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at % 1000:03d}Z"


def parse_time(text: str) -> int:
    """Milliseconds of an ISO 8601 date or time; a bare date is its midnight in UTC; raises `ValueError`."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def retry_after_ms(text: str | None, now: datetime) -> int | None:
    """A Retry-After header (RFC 9110: seconds, or a date) as milliseconds from now, 0 to 24 h."""
    text = (text or "").strip()
    if text.isascii() and text.isdigit():
        # More digits than these are over the cap in any case.
        return min(int(text[:12]) * 1000, LONGEST_PAUSE_MS)
    try:
        moment = parsedate_to_datetime(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        pause = (moment - now).total_seconds()
    except (ValueError, OverflowError):
        return None
    return round(min(max(pause * 1000, 0), LONGEST_PAUSE_MS))
