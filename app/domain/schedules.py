"""When something is due: cron in a time zone, or an interval; and which of the due times still count.

Cron is Debian's (crontab(5), five fields): an expression that names its hour is due once on the day that the
clock goes back, and right after the gap on the day that it goes forward; one whose minute or hour starts with
``*`` is due whenever the clock on the wall shows it.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from app.domain.errors import ValidationFailed

OVERLAP = {
    "skip": "While a run of the schedule is open, nothing is started.",
    "queue": "It waits until the runs before it have ended.",
    "replace": "The open runs of the schedule are cancelled, and the new one is started.",
    "allow": "Runs of the schedule may be open at the same time.",
}
CATCH_UP = {
    "none": "What was due more than a minute ago is missed.",
    "latest": "The latest of the due times that have passed is made up for.",
    "all": "All due times that have passed are made up for, the latest catchUpLimit of them.",
}
LATE_MS = 60_000
WEEK_MS = 7 * 86_400_000
MOST_COUNTED = 20_000  # More due times than a week has minutes.
# Names of zones that machines give to what they like, or do not have, or count leap seconds in.
OF_THE_HOST = frozenset({"localtime", "posixrules", "Factory", "posix", "right"})
MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Due times: those of a cron expression in a time zone, or every so many milliseconds from an anchor."""

    cron: str | None = None
    timezone: str = "UTC"
    every_ms: int | None = None
    anchor_at: int = 0

    def check(self) -> None:
        """Raise `ValidationFailed` unless there are due times to come."""
        if (self.cron is None) == (self.every_ms is None):
            raise ValidationFailed.of("cron", "Give either cron or everyMs")
        _zone(self.timezone)
        if self.timezone.partition("/")[0] in OF_THE_HOST:
            raise ValidationFailed.of("timezone", f"{self.timezone!r} may be another time on each machine")
        if self.cron is not None and len(MACROS.get(self.cron, self.cron).split()) != 5:
            raise ValidationFailed.of("cron", f"{self.cron!r} does not have five fields")
        try:
            found = next(self.after(0), None)
        except CronSimError as error:
            raise ValidationFailed.of("cron", f"{self.cron!r}: {error}") from None
        if found is None:
            raise ValidationFailed.of("cron", f"{self.cron!r} is never due")

    def after(self, at: int) -> Iterator[int]:
        """The due times later than a moment, in their order."""
        if self.every_ms is not None:
            due = self.anchor_at + ((at - self.anchor_at) // self.every_ms + 1) * self.every_ms
            while True:
                yield due
                due += self.every_ms
        start = datetime.fromtimestamp(at // 1000, _zone(self.timezone))
        for moment in CronSim(MACROS.get(self.cron or "", self.cron or ""), start):
            due = round(moment.timestamp() * 1000)
            if due > at:  # From within the hour that comes twice, the first of the two is found.
                at = due
                yield due


@dataclass(frozen=True, kw_only=True)
class Due:
    """What is to be done now: the due times that count, oldest first, and how many older ones are missed."""

    times: tuple[int, ...]
    missed: int


def due(timing: Timing, first: int, now: int, catch_up: str, limit: int) -> Due:
    """Judge the due times from `first`, which is one of them, up to now; `limit` is that of "all"."""
    newest, count = _passed(timing, first, now, limit if catch_up == "all" else 1)
    times = [at for at in newest if catch_up != "none" or at >= now - LATE_MS]
    return Due(times=tuple(times), missed=count - len(times))


def _passed(timing: Timing, first: int, now: int, most: int) -> tuple[list[int], int]:
    """The newest due times, at most so many, oldest first; and how many there were."""
    if timing.every_ms is not None:
        count = max(0, (now - first) // timing.every_ms + 1)
        return [first + place * timing.every_ms for place in range(max(0, count - most), count)], count
    newest: deque[int] = deque(maxlen=most)
    count = 0
    for at in takewhile(lambda at: at <= now, chain([first], timing.after(first))):
        newest.append(at)
        count += 1
        if count > MOST_COUNTED:  # What was due before the last week counts as one.
            later, more = _passed(timing, next(timing.after(now - WEEK_MS)), now, most)
            return later, more + 1
    return list(newest), count


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValidationFailed.of("timezone", f"{name!r} is not a time zone such as Europe/Berlin") from None
