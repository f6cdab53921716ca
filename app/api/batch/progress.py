"""The progress of a batch as server-sent events: a whole object at each change, until the batch ends."""

import json
import time
from collections.abc import Callable, Iterator

from app.api.http.stream import BEAT_S, TURN_S, Pause
from app.domain.errors import Unavailable
from app.domain.json import JsonObject
from app.services.permit import Permit

Look = Callable[[], tuple[int, JsonObject]]  # The number of the last event of the batch, and its progress.
ESTIMATES = frozenset({"estimated_completion"})  # They move with the clock, and are no news.
OPEN = frozenset({"Pending", "Running", "RollingBack"})


def frames(look: Look, after: int, permit: Permit, pause: Pause = time.sleep) -> Iterator[str]:
    """The progress after an event, at most four times a second; it ends with the batch or the database."""
    shown: JsonObject | None = None
    quiet_since = time.monotonic()
    try:
        yield "retry: 2000\n\n"
        while permit.holds():
            number, progress = look()
            has_ended = progress["status"] not in OPEN
            # What a client has seen before it came again is not told twice.
            facts = {name: value for name, value in progress.items() if name not in ESTIMATES}
            is_news = facts != shown if shown is not None else number > after or has_ended
            shown = facts
            if is_news:
                quiet_since = time.monotonic()
                yield _frame(number, progress)
            if has_ended:
                return
            if time.monotonic() - quiet_since >= BEAT_S:
                quiet_since = time.monotonic()
                yield ": beat\n\n"
            pause(TURN_S)
    except Unavailable:
        return  # The client comes again with Last-Event-ID.


def _frame(number: int, progress: JsonObject) -> str:
    return f"id: {number}\nevent: progress\ndata: {json.dumps(progress, separators=(',', ':'))}\n\n"
