"""A stream of a run's events, which continues when a connection breaks."""

import json
import time
from collections.abc import Callable, Iterator, Mapping

from windlass.errors import ConnectionFailed
from windlass.models import Event
from windlass.session import Session
from windlass.sse import messages

Clock = Callable[[], float]

SILENCE_S = 45.0  # Three heartbeats of the service.
OUTAGE_S = 60.0  # Longest time that a service may be away and still be waited for.
LASTING_S = 5.0  # A connection that held this long was a good one.


def events(
    session: Session, path: str, after: int, ended: Callable[[], bool], clock: Clock = time.monotonic
) -> Iterator[Event]:
    """Events after number `after` until the service has told all of a run that ended; a break costs nothing.

    `ended` is asked when the service closes the stream: the event that ends a run need not be its last.
    """
    down_since: float | None = None
    failures = 0
    while True:
        began, broken = clock(), ConnectionFailed("The stream ended before the run.")
        try:
            for event in _connection(session, path, after):
                down_since, failures, after = None, 0, event.seq
                yield event
            if ended():
                return
        except ConnectionFailed as error:
            broken = error
        if clock() - began > LASTING_S:
            down_since, failures = None, 0
        down_since = clock() if down_since is None else down_since
        pause = session.retries.pause(min(failures, session.retries.limit - 1), None)
        if pause is None or clock() - down_since > OUTAGE_S:
            raise broken
        session.sleep(pause)
        failures += 1


def _connection(session: Session, path: str, after: int) -> Iterator[Event]:
    """The events of one connection, none twice."""
    headers = {"Last-Event-ID": str(after)} if after else {}
    with session.open(path, headers, SILENCE_S) as answer:
        for message in messages(answer.lines):
            facts = _facts(message.data)
            event = Event.of({"seq": int(message.id or 0), "type": message.event, **facts})
            if event.seq > after:
                yield event


def _facts(data: str) -> Mapping[str, object]:
    """The JSON object of an event; empty for anything else, which the service does not send."""
    try:
        facts = json.loads(data)
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}
