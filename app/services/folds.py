"""The state of a run right after one of its events, for deliveries: each event is folded once a process.

Deliveries of a run come one after the other. What was folded for one of them is kept for the next, so that a
long log is not read again for each of its events.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

from app.domain.fold import Folded, State
from app.record.runs import event_log
from app.record.session import Tx

MOST_STEPS = 20_000  # Of all runs whose folds are kept.
PRIVATE = ("input", "output")  # Nothing of these is told, so nothing of them is kept.
Row = Mapping[str, Any]

_kept: OrderedDict[tuple[str, str, str], tuple[Folded, Row]] = OrderedDict()
_lock = threading.Lock()


def as_of(tx: Tx, run_id: str, seq: int) -> tuple[State, Row]:
    """The state right after this event, without what went in and came out, and the event itself."""
    place = (str(tx.connection.engine.url), tx.tenant, run_id)
    with _lock:
        folded, last = _kept.pop(place, (Folded(), {}))
        if folded.seq > seq:  # A delivery that waited longer than those after it.
            folded, last = Folded(), {}
    last, state = _go_on(folded, last, event_log.walk(tx, run_id, after=folded.seq, until=seq))
    with _lock:
        _kept[place] = (folded, last)
        while len(_kept) > 1 and sum(one.size + 1 for one, _ in _kept.values()) > MOST_STEPS:
            _kept.popitem(last=False)
    return state, last


def _go_on(folded: Folded, last: Row, events: Iterator[Row]) -> tuple[Row, State]:
    newest = [last]

    def public() -> Iterator[Row]:
        for one in events:
            newest[0] = {**one, "payload": _public(one["payload"])}
            yield newest[0]

    state = folded.after(public())
    return newest[0], state


def _public(payload: Any) -> object:
    if not payload:
        return payload
    kept: dict[str, Any] = {name: None if name in PRIVATE else value for name, value in payload.items()}
    if "steps" in kept:
        kept["steps"] = [{**facts, "output": None} for facts in kept["steps"]]
    return kept
