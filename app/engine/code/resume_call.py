"""What an operator's word on a call means for the function that made it."""

from app.domain.events import EventType
from app.domain.rows.runs import StepRow
from app.domain.states import StepStatus
from app.engine.transitions.advance import advance
from app.engine.transitions.fan_out import group_of
from app.engine.transitions.journal import Journal
from app.engine.transitions.step_rows import afresh


def again(j: Journal, call: StepRow) -> None:
    """Give a failed call another chance: the function makes it anew."""
    j.move(call, StepStatus.PENDING, **afresh(unsure=False))
    j.event(EventType.STEP_READY, call)
    go_on(j, call)


def go_on(j: Journal, call: StepRow) -> None:
    """Let the function, which has failed over a call, hear of what became of it."""
    main = group_of(j, call)
    # The call and the function failed separately: a pending call alone would never be made, since nobody
    # advances.
    if main is not None and main["status"] == StepStatus.FAILED:
        j.move(main, StepStatus.PENDING, **afresh(unsure=False))
        j.event(EventType.STEP_READY, main)
    advance(j)
