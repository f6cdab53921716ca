"""What can happen to a run: every type of event in its log, and those that others may be told of.

Undo steps write the same events as forward steps, in the phase ``comp``. The table is printed in
``docs/events.rst``.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Self


class EventType(StrEnum):
    """What may stand in the log of a run; each type says what it means."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Self:
        """A type of event with its sentence for the docs."""
        made = str.__new__(cls, value)
        made._value_ = value
        made.meaning = meaning
        return made

    RUN_CREATED = "run.created", "The request was accepted; the plan is in the event."
    RUN_STARTED = "run.started", "The first step was claimed."
    RUN_HELD = (
        "run.held",
        "A step has failed; the run keeps what it has until an operator or its hold time decides.",
    )
    RUN_HOLD_EXPIRED = "run.hold_expired", "Nobody decided in time."
    RUN_BLOCKED = (
        "run.blocked",
        "An outcome is unknown and must not be repeated: an operator says what happened.",
    )
    RUN_NEEDS_OPERATOR = "run.needs_operator", "An undo is exhausted."
    RUN_CANCEL_REQUESTED = "run.cancel_requested", "Somebody asked the run to stop."
    RUN_PAUSED = "run.paused", "Nothing new starts until the run is let go."
    RUN_UNPAUSED = "run.unpaused", "The run was let go."
    RUN_RESUMED = "run.resumed", "An operator let the run go on."
    RUN_ANNOTATED = "run.annotated", "A client keeps something with the run; it is in the event."
    RUN_TIMED = "run.timed", "The time that a code workflow may work runs from now on."
    RUN_LIMIT_REACHED = (
        "run.limit_reached",
        "A code workflow has as many events, or has worked as long, as it may.",
    )
    RUN_RESTARTED = "run.restarted", "A code workflow goes on as a fresh run."
    RUN_MOVED = "run.moved", "The run stands elsewhere in its life, for no reason that another event gives."
    RUN_COMPENSATING = "run.compensating", "What happened is being undone; the undo steps are in the event."
    RUN_COMPENSATED = "run.compensated", "All is undone."
    RUN_COMPLETED = "run.completed", "The last step is done."
    RUN_FAILED = "run.failed", "The run has ended without reaching its goal; compensation is over."
    RUN_CANCELLED = "run.cancelled", "The run has ended because somebody asked; compensation is over."
    STEP_STARTED = "step.started", "An attempt began."
    STEP_POLLING = "step.polling", "An operation is being asked how far it is."
    STEP_WAITING = "step.waiting", "An operation is under way, or a fan-out or a function waits for others."
    STEP_BEGUN = (
        "step.begun",
        "An attempt of a step of a code workflow began; of plain steps only the end is told.",
    )
    STEP_FAILING = "step.failing", "An attempt of such a step failed; another one is made at once."
    CALLS_ENDED = "calls.ended", "Calls of a code workflow had their results at once."
    STEP_READY = "step.ready", "A wait is over; the step may be claimed."
    STEP_EXPANDED = "step.expanded", "The list of a map is known; its members are in the event."
    STEP_LOG = "step.log", "A line that the step wrote."
    STEP_COMPLETED = "step.completed", "The step has reached its goal."
    STEP_RETRYING = "step.retrying", "The attempt failed; another one is due."
    STEP_FAILED = "step.failed", "The step has failed for good."
    STEP_LOST = "step.lost", "The worker died or fell silent; whether the step took effect is unknown."
    STEP_FENCED = "step.fenced", "A result came too late and was refused."
    STEP_CANCELLED = "step.cancelled", "The step was given up with its run."
    STEP_SKIPPED = "step.skipped", "An operator left the step out."
    STEP_RESOLVED = "step.resolved", "An operator says that the step is done."
    STEP_COMPENSATED = "step.compensated", "The step is undone."
    SIGNAL_RECEIVED = "signal.received", "Somebody sent a signal."
    SIGNAL_CONSUMED = "signal.consumed", "A call of the function took the signal."
    USER_EVENT = "user.event", "The function, or a client, says something of its own."
    HOOK_CREATED = "hook.created", "A hook was opened."
    HOOK_EXECUTED = "hook.executed", "Somebody called the hook of a step."
    LOCK_GRANTED = "lock.granted", "The run holds the resource from now on."
    LOCK_RELEASED = "lock.released", "The run no longer holds the resource."
    OPERATOR_ACTION = "operator.action", "An operator did something; who and why is in the event."


# Runs of apps keep logs of their own (`app.domain.apps`); webhooks may be told of their ends.
OF_APPS = {
    "app.run.completed": "A run of an app has completed.",
    "app.run.failed": "A run of an app has failed.",
    "app.run.cancelled": "A run of an app was cancelled.",
}

QUIET = "sync."  # Runs of these types keep the record: they are listed and told of where asked for.

# What webhooks may be told of (contracts/runs.rst#webhooks).
TOLD = (
    EventType.RUN_CREATED,
    EventType.RUN_STARTED,
    EventType.RUN_HELD,
    EventType.RUN_BLOCKED,
    EventType.RUN_NEEDS_OPERATOR,
    EventType.RUN_COMPLETED,
    EventType.RUN_FAILED,
    EventType.RUN_CANCELLED,
    EventType.RUN_COMPENSATING,
    EventType.RUN_COMPENSATED,
    EventType.STEP_COMPLETED,
    EventType.STEP_FAILED,
    EventType.STEP_RETRYING,
    *OF_APPS,
)


def told_types(events: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """The types among these events that somebody may be told of."""
    return frozenset(one["type"] for one in events if may_be_told(one))


def may_be_told(one: Mapping[str, object]) -> bool:
    """Whether somebody may be told of an event; what undo steps do stays here."""
    return one["type"] in TOLD and (one["phase"] != "comp" or one["type"].startswith("run."))
