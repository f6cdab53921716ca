"""The progress of a batch as server-sent events: the whole object at each change, until the batch ends."""

import json
import time
from collections.abc import Callable, Iterator

from app.api.http.stream import BEAT_S, TURN_S, Pause
from app.domain.errors import Unavailable
from app.domain.json import JsonObject
from app.services.permit import Permit

Read = Callable[[], tuple[int, JsonObject]]  # The number of the last event of the batch, and its progress.
ESTIMATES = frozenset({"estimated_completion"})  # They change with the clock alone.
OPEN = frozenset({"Pending", "Running", "RollingBack"})


def frames(read: Read, after: int, permit: Permit, pause: Pause = time.sleep) -> Iterator[str]:
    """Progress after an event, at most four times a second, until the batch ends or the database is lost."""
    shown: JsonObject | None = None
    quiet_since = time.monotonic()
    try:
        yield "retry: 2000\n\n"
        while permit.holds():
            number, progress = read()
            has_ended = progress["status"] not in OPEN
            # A client that reconnects does not get again what it had received before.
            facts = {name: value for name, value in progress.items() if name not in ESTIMATES}
            has_changed = facts != shown if shown is not None else number > after or has_ended
            shown = facts
            if has_changed:
                quiet_since = time.monotonic()
                yield _frame(number, progress)
            if has_ended:
                return
            if time.monotonic() - quiet_since >= BEAT_S:
                quiet_since = time.monotonic()
                yield ": beat\n\n"
            pause(TURN_S)
    except Unavailable:
        return  # The client reconnects with Last-Event-ID.


def _frame(number: int, progress: JsonObject) -> str:
    return f"id: {number}\nevent: progress\ndata: {json.dumps(progress, separators=(',', ':'))}\n\n"
