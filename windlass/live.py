"""A run's events while they happen, over connections that may break."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from windlass.errors import ConnectionFailed
from windlass.models import Event
from windlass.session import Session
from windlass.sse import messages

SILENCE_S = 45.0  # Three heartbeats of the service.


def events(session: Session, path: str, after: int, ended: Callable[[], bool]) -> Iterator[Event]:
    """Events after number `after` until the service has told all of a run that ended; a break costs nothing.

    `ended` is asked when the service closes the stream: the event that ends a run need not be its last.
    """
    failures = 0
    while True:
        broken: ConnectionFailed | None = None
        try:
            for event in _connection(session, path, after):
                failures, after = 0, event.seq
                yield event
            if ended():
                return
        except ConnectionFailed as error:
            broken = error
        pause = session.retries.pause(failures, None)
        if pause is None:
            raise broken or ConnectionFailed("The stream ended before the run.")
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


def _facts(data: str) -> Mapping[str, Any]:
    """The event as an object; anything else is no event of ours and counts as empty."""
    try:
        facts = json.loads(data)
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}
