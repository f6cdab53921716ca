"""Events that users write into a run's log (seed 002: emitEvent)."""

from typing import Any

from app.domain.errors import Conflict, InvalidStateTransition
from app.domain.states import TERMINAL
from app.engine.journal import Journal, Row


class CircuitOpen(Conflict):
    """The run has as many events as it may have."""

    code = "CIRCUIT_OPEN"


def emit(j: Journal, event_type: str, payload: Any, *, actor: str, correlation_id: str | None = None) -> Row:
    """Append an event of a user's type; raises for an ended run, and for one that has too many."""
    if j.status in TERMINAL:
        raise InvalidStateTransition(f"the run is {j.status}: its log is closed", current=j.status)
    most = (j.run["limits"] or {}).get("maxEvents")
    if most is not None and j.run["event_seq"] >= most:
        raise CircuitOpen(f"the run has {most} events, as many as it may have (maxEvents)", limit=most)
    told = {"eventType": event_type, "payload": payload, "correlationId": correlation_id}
    j.event("user.event", actor=actor, **told)
    return {"runId": j.id, "seq": j.run["event_seq"], "at": j.now, **told}
