"""Events that authors write into the log of a run (contracts/code-workflows.rst#events)."""

from typing import Any

from app.domain.errors import Conflict, InvalidStateTransition
from app.domain.events import EventType
from app.domain.json import JsonObject
from app.domain.states import TERMINAL
from app.engine.code.limits import BYTES, is_large, most_events, room
from app.engine.transitions.journal import MAIN, Journal


class CircuitOpen(Conflict):
    """The run has as many events as it may have."""

    code = "CIRCUIT_OPEN"


def emit(
    j: Journal, event_type: str, payload: Any, *, actor: str, correlation_id: str | None = None
) -> JsonObject:
    """Append an event of a user's type; raises for an ended run, and for one that has too many."""
    if j.status in TERMINAL:
        raise InvalidStateTransition(
            f"The run is {j.status}: events can be added only while it is open", current=j.status
        )
    if not room(j, j.one("forward", MAIN), 1):
        raise full_log(j)
    told = {"eventType": event_type, "payload": payload, "correlationId": correlation_id}
    j.event(EventType.USER_EVENT, actor=actor, **told)
    return {"runId": j.id, "seq": j.run["event_seq"], "at": j.now, **told}


def full_log(j: Journal) -> CircuitOpen:
    """Why nothing more may be written into the log of a run."""
    if is_large(j.run):
        told = (
            f"events and signals of the run may have {BYTES.most} bytes (WINDLASS_RUN_BYTES), and have them"
        )
        return CircuitOpen(told, limit=BYTES.most)
    most = most_events(j.run)
    told = f"the run may have {most} events (maxEvents), and needs those that are left to go on"
    return CircuitOpen(told, limit=most)
