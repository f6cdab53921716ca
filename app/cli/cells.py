"""One value of a table as a short text: states with a mark, times as clocks or ages, nothing as JSON."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from math import floor
from typing import Any

from app.cli.marks import look

SHORT_ID = 8  # The end of an id, which is where two ids differ; commands accept it.
STATES = frozenset({"status", "state", "detail", "outcome", "runStatus"})
CODES = frozenset({"deploymentId"})  # Versions, which are no ids that one types.
SHARES = frozenset({"successRate", "success_rate"})  # From 0 to 1.
# Where the exact moment of an event counts, and not how long ago it was.
CLOCKS = frozenset({"at"})


def at(value: object, path: str) -> Any:
    """The member at a dotted path, or None; of a list, that of each; ``a|b`` is b where there is no a."""
    first, bar, others = path.partition("|")
    if bar:
        found = at(value, first)
        return at(value, others) if found is None else found
    for name in path.split("."):
        if isinstance(value, list):
            value = [each.get(name) for each in value if isinstance(each, Mapping)]
        else:
            value = value.get(name) if isinstance(value, Mapping) else None
    return value


def cell(value: object) -> str:
    """One value as a short text, without characters that could steer a terminal."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_inner(each) for each in value)
    if isinstance(value, Mapping):
        return " ".join(f"{printable(str(name))}={_inner(each)}" for name, each in value.items())
    return printable(str(value))


def member(row: object, path: str) -> str:
    """The member at a path in full, as it stands in wide tables and sheets."""
    value, name = at(row, path), named(path)
    if name.endswith("Ms"):
        return duration(value)
    if name == "progress" and isinstance(value, int):
        return f"{value} %"
    if name in SHARES and isinstance(value, int | float):
        return f"{floor(1000 * value + 1e-6) / 10:g} %"  # 99.96 % are not all.
    return cell(value)


def brief(row: object, path: str, now: datetime) -> str:
    """The same where there is little room: a time as a clock or an age."""
    value, name = at(row, path), named(path)
    if is_time(name) and isinstance(value, str):
        return clock(value, now) if name in CLOCKS else age(value, now)
    return member(row, path)


def shortened(row: object, path: str) -> str:
    """An id as its last characters; `server/srv_…` keeps its kind."""
    value = at(row, path)
    texts = value if isinstance(value, list) else [value]
    return ", ".join(_end(str(text)) for text in texts if text is not None)


def is_id(path: str) -> bool:
    """Whether a member is the id of something that commands accept in short."""
    name = path.rsplit("|", maxsplit=1)[-1].rpartition(".")[2]
    return (name not in CODES and (name == "id" or name.endswith("Id"))) or name in ("resource", "run")


def is_time(name: str) -> bool:
    """Whether a member is a point in time."""
    return name.endswith(("At", "_at")) or name in ("at", "since", "until", "slowSince", "lastCheckTime")


def is_state(path: str) -> bool:
    """Whether a member is one of the words that have a mark."""
    return named(path) in STATES


def named(path: str) -> str:
    """The last name of a path, or of the first of several."""
    return path.split("|", maxsplit=1)[0].rpartition(".")[2]


def marked(word: str) -> tuple[str, str]:
    """A state with its mark, and the style of both."""
    mark, style = look(word)
    return (f"{mark} {word}" if word else "", style)


def clock(text: str, now: datetime) -> str:
    """`19:07:04`, with the day when it is not today's; always UTC, as in the service's own answers."""
    return _timed(text, lambda then: then.strftime("%H:%M:%S" if _same_day(then, now) else "%m-%d %H:%M:%S"))


def age(text: str, now: datetime) -> str:
    """`3m ago`, or `in 5m`."""

    def told(then: datetime) -> str:
        seconds = int((now - then).total_seconds())
        span = _span(abs(seconds))
        return f"{span} ago" if seconds >= 0 else f"in {span}"

    return _timed(text, told)


def duration(milliseconds: float | None) -> str:
    """`323000` as 5m23s, `45` as 45ms."""
    if milliseconds is None:
        return ""
    if milliseconds < 1000:
        return f"{milliseconds:.0f}ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:.1f}s"
    minutes, seconds = divmod(int(milliseconds / 1000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{seconds:02}s"


def printable(text: str) -> str:
    """The text with control characters replaced: what a BMC wrote must not steer a terminal."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "\ufffd" for letter in text)


def utc_now() -> datetime:
    """The clock of this machine."""
    return datetime.now(UTC)


def _inner(value: object) -> str:
    """A value inside another: objects in round brackets, so that their ends are seen."""
    return f"({cell(value)})" if isinstance(value, Mapping) else cell(value)


def _end(text: str) -> str:
    kind, slash, last = text.rpartition("/")
    prefix, underline, rest = last.rpartition("_")
    # Ids of one's own choice are names: they are not cut.
    generated = underline and len(rest) == 26 and prefix.isalpha()
    return f"{kind}{slash}{rest[-SHORT_ID:]}" if generated else text


def _timed(text: str, told: Callable[[datetime], str]) -> str:
    try:
        then = datetime.fromisoformat(text)
    except ValueError:
        return printable(text)
    return told(then if then.tzinfo else then.replace(tzinfo=UTC))


def _same_day(one: datetime, other: datetime) -> bool:
    return one.astimezone(UTC).date() == other.astimezone(UTC).date()


def _span(seconds: int) -> str:
    for size, letter in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{letter}"
    return f"{seconds}s"
