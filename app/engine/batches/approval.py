"""Approvals: an operation that needs one counts it among the edges that it waits for."""

from app.domain.errors import InvalidStateTransition, NotFound
from app.domain.events import EventType
from app.domain.states import RunStatus, StepStatus
from app.engine.transitions import graph
from app.engine.transitions.advance import MOVING
from app.engine.transitions.journal import Journal, is_member

BEGINS = MOVING | {RunStatus.PAUSED}  # Statuses of a batch in which operations may still begin.


def approve(j: Journal, operation: str, actor: str) -> None:
    """Approve an operation of a locked batch: it begins when all else that it waits for has ended.

    Approving twice is the same as once. Raises `NotFound`, or `InvalidStateTransition` when the operation
    does not wait for an approval or will never begin.
    """
    member = j.one("forward", operation)
    if member is None or not is_member(member):
        raise NotFound(f"The batch has no operation {operation}")
    given = member["given"] or {}
    if given.get("approved"):
        return
    # A row that has not begun stays pending when its batch is cancelled or held, so its status alone does not
    # show that an approval comes too late.
    if j.status not in BEGINS:
        raise InvalidStateTransition(
            f"{operation} cannot begin any more: its batch is {j.status}", current=j.status
        )
    if not given.get("approval") or member["status"] != StepStatus.PENDING:
        raise InvalidStateTransition(
            f"{operation} waits for no approval: it is {member['status']}", current=member["status"]
        )
    approved = {**given, "approved": {"by": actor, "at": j.now}}
    # An approval counts as one more edge (`members.rows_of`), so the graph needs no rule for it.
    j.change(member, given=approved, pending=member["pending"] - 1)
    j.event(EventType.OPERATOR_ACTION, member, actor=actor, action="approve", target=operation)
    graph.turn(j)
