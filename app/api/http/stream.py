"""Following a run: server-sent events from the log, and the long poll, within a small budget of threads.

1. A stream takes a place; when all are taken the answer is 503 with Retry-After.
2. It sends the events after the one the client saw last (Last-Event-ID), then looks for more in short turns.
3. It beats every 15 seconds while nothing happens, and ends after the event that ends the run, or within
   seconds when whoever reads it may not do so any more.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Any

from app.domain.errors import Unavailable
from app.domain.states import NEEDS_OPERATOR, TERMINAL
from app.record.runs import event_log, runs
from app.services import present
from app.services.context import AppContext
from app.services.permit import Permit

MOST_STREAMS = 8  # A process (contracts/runs.rst#events).
SHORT = 8  # Threads that are always left for short requests.
BEAT_S = 15.0
TURN_S = 0.25
FIRST_TURN_S = 0.01
EVENTS_A_TURN = 200

Pause = Callable[[float], None]


class Places:
    """The places for those who stay."""

    def __init__(self, threads: int, most: int = MOST_STREAMS) -> None:
        self.most = max(1, min(most, threads - SHORT))
        self._free = BoundedSemaphore(self.most)

    def take(self) -> Callable[[], None]:
        """Take a place and get the way to give it back; raises `Unavailable` when there is none."""
        if not self._free.acquire(blocking=False):
            raise Unavailable(
                f"All {self.most} streams of this process are taken.", retryAfter=5, limit=self.most
            )
        return self._free.release

    @contextmanager
    def if_free(self) -> Iterator[bool]:
        """Hold a place if there is one."""
        taken = self._free.acquire(blocking=False)
        try:
            yield taken
        finally:
            if taken:
                self._free.release()


def frames(
    world: AppContext, run_id: str, after: int, permit: Permit, pause: Pause = time.sleep
) -> Iterator[str]:
    """The events after this one as text/event-stream, until the run ends or the database goes away."""
    try:
        yield "retry: 2000\n\n"
        quiet_since = time.monotonic()
        while permit.holds():
            run, found = world.db.read(lambda tx, seen=after: _turn(tx, run_id, seen))  # type: ignore[misc]
            for row in found:
                after = row["seq"]
                quiet_since = time.monotonic()
                yield _frame(row)
            if run is None or (run["status"] in TERMINAL and after >= run["event_seq"]):
                return
            if time.monotonic() - quiet_since >= BEAT_S:
                quiet_since = time.monotonic()
                yield ": beat\n\n"
            if not found:
                pause(TURN_S)
    except Unavailable:
        return  # The client comes again with Last-Event-ID.


def await_change(
    world: AppContext,
    run_id: str,
    seconds: float,
    places: Places,
    pause: Pause = time.sleep,
    *,
    until_it_ends: bool = False,
) -> None:
    """Return when something happens to the run, when the time is over, or at once when no place is free.

    With ``until_it_ends`` nothing else but its end is waited for.

    A run that has ended or needs an operator is not waited for: nothing will happen to it by itself.
    """
    give_up = time.monotonic() + seconds
    seen: int | None = None
    turn = FIRST_TURN_S  # Most of what is waited for ends soon.
    with places.if_free() as free:
        while free and time.monotonic() < give_up:
            run = world.db.read(lambda tx: runs.read_run(tx, run_id))
            if run is None or run["status"] in TERMINAL | NEEDS_OPERATOR:
                return
            seen = run["event_seq"] if seen is None else seen
            if run["event_seq"] != seen and not until_it_ends:
                return
            pause(min(turn, max(0.0, give_up - time.monotonic())))
            turn = min(TURN_S, turn * 2)


def _turn(tx: Any, run_id: str, after: int) -> tuple[Any, list[dict[str, Any]]]:
    # The run first: an event written between the two reads is found in the next turn, none is missed.
    return runs.read_run(tx, run_id), event_log.page(tx, run_id, after=after, limit=EVENTS_A_TURN)


def _frame(row: Mapping[str, object]) -> str:
    data = json.dumps(present.event_object(row), separators=(",", ":"))
    return f"id: {row['seq']}\nevent: {row['type']}\ndata: {data}\n\n"
