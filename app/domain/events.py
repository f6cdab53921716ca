"""What can happen to a run: every type of event in its log, and those that others may be told of.

Undo steps write the same events as forward steps, in the phase ``comp``. The table is printed in
``docs/events.rst``.
"""

from collections.abc import Iterable, Mapping
from typing import Any

TYPES = {
    "run.created": "The request was accepted; the plan is in the event.",
    "run.started": "The first step was claimed.",
    "run.held": "A step has failed; the run keeps what it has until an operator or its hold time decides.",
    "run.hold_expired": "Nobody decided in time.",
    "run.blocked": "An outcome is unknown and must not be repeated: an operator says what happened.",
    "run.needs_operator": "An undo is exhausted.",
    "run.cancel_requested": "Somebody asked the run to stop.",
    "run.paused": "Nothing new starts until the run is let go.",
    "run.unpaused": "The run was let go.",
    "run.resumed": "An operator let the run go on.",
    "run.annotated": "A client keeps something with the run; it is in the event.",
    "run.timed": "The time that a code workflow may work runs from now on.",
    "run.limit_reached": "A code workflow has as many events, or has worked as long, as it may.",
    "run.restarted": "A code workflow goes on as a fresh run.",
    "run.moved": "The run stands elsewhere in its life, for no reason that another event gives.",
    "run.compensating": "What happened is being undone; the undo steps are in the event.",
    "run.compensated": "All is undone.",
    "run.completed": "The last step is done.",
    "run.failed": "The run has ended without reaching its goal; compensation is over.",
    "run.cancelled": "The run has ended because somebody asked; compensation is over.",
    "step.started": "An attempt began.",
    "step.polling": "An operation is being asked how far it is.",
    "step.waiting": "An operation is under way, or a fan-out or a function waits for others.",
    "step.begun": "An attempt of a step of a code workflow began; of plain steps only the end is told.",
    "step.failing": "An attempt of such a step failed; another one is made at once.",
    "calls.ended": "Calls of a code workflow had their results at once.",
    "step.ready": "A wait is over; the step may be claimed.",
    "step.expanded": "The list of a map is known; its members are in the event.",
    "step.log": "A line that the step wrote.",
    "step.completed": "The step has reached its goal.",
    "step.retrying": "The attempt failed; another one is due.",
    "step.failed": "The step has failed for good.",
    "step.lost": "The worker died or fell silent; whether the step took effect is unknown.",
    "step.fenced": "A result came too late and was refused.",
    "step.cancelled": "The step was given up with its run.",
    "step.skipped": "An operator left the step out.",
    "step.resolved": "An operator says that the step is done.",
    "step.compensated": "The step is undone.",
    "signal.received": "Somebody sent a signal.",
    "signal.consumed": "A call of the function took the signal.",
    "user.event": "The function, or a client, says something of its own.",
    "hook.created": "A hook was opened.",
    "hook.executed": "Somebody called the hook of a step.",
    "lock.granted": "The run holds the resource from now on.",
    "lock.released": "The run no longer holds the resource.",
    "operator.action": "An operator did something; who and why is in the event.",
}

# Runs of apps keep logs of their own (`app.domain.apps`); webhooks may be told of their ends.
OF_APPS = {
    "app.run.completed": "A run of an app has completed.",
    "app.run.failed": "A run of an app has failed.",
    "app.run.cancelled": "A run of an app was cancelled.",
}

QUIET = "sync."  # Runs of these types keep the record: they are listed and told of where asked for.

# What webhooks may be told of (contracts/runs.rst#webhooks).
TOLD = (
    "run.created",
    "run.started",
    "run.held",
    "run.blocked",
    "run.needs_operator",
    "run.completed",
    "run.failed",
    "run.cancelled",
    "run.compensating",
    "run.compensated",
    "step.completed",
    "step.failed",
    "step.retrying",
    *OF_APPS,
)


def told_types(events: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """The types among these events that somebody may be told of."""
    return frozenset(one["type"] for one in events if may_be_told(one))


def may_be_told(one: Mapping[str, Any]) -> bool:
    """Whether somebody may be told of an event; what undo steps do stays here."""
    return one["type"] in TOLD and (one["phase"] != "comp" or one["type"].startswith("run."))
