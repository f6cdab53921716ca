"""Approvals: an operation that asks for one counts it among what it waits for."""

from app.domain.errors import InvalidStateTransition, NotFound
from app.domain.events import EventType
from app.domain.states import RunStatus, StepStatus
from app.engine.transitions import graph
from app.engine.transitions.advance import MOVING
from app.engine.transitions.journal import Journal, is_member

BEGINS = MOVING | {RunStatus.PAUSED}  # Batches of which an operation may still begin.


def approve(j: Journal, operation: str, actor: str) -> None:
    """Let an operation of a locked batch begin once all else that it waits for has ended; once is enough.

    Raises `NotFound`, or `InvalidStateTransition` where the operation waits for no approval or never begins.
    """
    member = j.one("forward", operation)
    if member is None or not is_member(member):
        raise NotFound(f"The batch has no operation {operation}")
    given = member["given"] or {}
    if given.get("approved"):
        return
    # A row that never began stays pending when its batch is cancelled or held: its status alone does not say
    # that an approval would come too late.
    if j.status not in BEGINS:
        raise InvalidStateTransition(
            f"{operation} cannot begin any more: its batch is {j.status}", current=j.status
        )
    if not given.get("approval") or member["status"] != StepStatus.PENDING:
        raise InvalidStateTransition(
            f"{operation} waits for no approval: it is {member['status']}", current=member["status"]
        )
    approved = {**given, "approved": {"by": actor, "at": j.now}}
    # An approval is one more edge to wait for (`members.rows_of`), so it needs no rule of its own in the
    # graph.
    j.change(member, given=approved, pending=member["pending"] - 1)
    j.event(EventType.OPERATOR_ACTION, member, actor=actor, action="approve", target=operation)
    graph.turn(j)
