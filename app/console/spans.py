"""Times and amounts in the words of people; pure."""

from datetime import UTC, datetime

UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"))


def parse(moment: str | None) -> int | None:
    """Milliseconds since 1970 of a moment in RFC 3339."""
    if not moment:
        return None
    return round(datetime.fromisoformat(moment).timestamp() * 1000)


def took(ms: float | None) -> str:
    """A length of time with two digits that matter: 13 ms, 4.2 s, 4 min 02, 3 h 05, 2 d 4 h."""
    if ms is None:
        return ""
    ms = round(ms)
    if ms < 1_000:
        return f"{ms} ms"
    if ms < 60_000:
        return f"{ms / 1000:.1f} s" if ms < 59_950 else "1 min"
    minutes = ms // 60_000
    if minutes < 60:
        seconds = ms // 1000 % 60
        return f"{minutes} min {seconds:02}" if seconds else f"{minutes} min"
    hours = minutes // 60
    if hours < 48:
        return f"{hours} h {minutes % 60:02}" if minutes % 60 else f"{hours} h"
    return f"{hours // 24} d {hours % 24} h" if hours % 24 else f"{hours // 24} d"


def about(ms: float | None) -> str:
    """A length of time with one unit: "4 min", "3 h"."""
    if ms is None:
        return ""
    for size, unit in UNITS:
        if ms >= size:
            return f"{round(ms / size)} {unit}"
    return f"{round(ms)} ms"


def clock(moment: str | None, now: int | None = None) -> str:
    """The time of day, with the date unless it is today's: 19:07:04, 12 Jan 19:07."""
    ms = parse(moment)
    if ms is None:
        return ""
    at = datetime.fromtimestamp(ms / 1000, UTC)
    if now is None or at.date() == datetime.fromtimestamp(now / 1000, UTC).date():
        return f"{at:%H:%M:%S}"
    same_year = at.year == datetime.fromtimestamp(now / 1000, UTC).year
    return f"{at.day} {at:%b %H:%M}" if same_year else f"{at.day} {at:%b %Y}"


def number(value: float | None) -> str:
    """A whole number with thin spaces between thousands."""
    return "" if value is None else f"{value:,.0f}".replace(",", "\u202f")


def size(count: float | None) -> str:
    """Bytes with a unit."""
    value = float(count or 0)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{value:.0f} {unit}" if unit == "B" or value >= 10 else f"{value:.1f} {unit}"
        value /= 1000
    return ""
