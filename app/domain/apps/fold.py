"""Folds the log of a run into statuses, which must equal those of the rows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.domain.apps.words import (
    ENDINGS,
    OPEN,
    AppEventType,
    AppRunStatus,
    AppStepStatus,
    HookStatus,
    WaitStatus,
)

STEPS = {
    AppEventType.STEP_STARTED: AppStepStatus.RUNNING,
    AppEventType.STEP_COMPLETED: AppStepStatus.COMPLETED,
    AppEventType.STEP_FAILED: AppStepStatus.FAILED,
    AppEventType.STEP_RETRYING: AppStepStatus.PENDING,
}


@dataclass(kw_only=True)
class Folded:
    """The status of a run, and the statuses of its steps, hooks and waits by correlation id."""

    run: str | None = None
    step: dict[str, str] = field(default_factory=dict)
    hook: dict[str, str] = field(default_factory=dict)
    wait: dict[str, str] = field(default_factory=dict)
    over: set[str] = field(default_factory=set)  # Waits that ended before they were created.


def fold(events: Iterable[Mapping[str, Any]], born: Mapping[str, int]) -> Folded:
    """The statuses after these events, in the order of their slots.

    ``born`` is the slot of the event that created each step: events about a step may come before it exists,
    and change nothing then.
    """
    made = Folded()
    for event in events:
        kind, name = AppEventType(event["event_type"]), event["correlation_id"]
        if kind in (AppEventType.RUN_CREATED, AppEventType.RUN_STARTED) or kind in ENDINGS:
            _run(made, kind)
        elif kind == AppEventType.STEP_CREATED:
            made.step.setdefault(name, AppStepStatus.PENDING)
        elif kind in STEPS:
            if event["seq"] >= born.get(name, event["seq"] + 1):
                made.step[name] = STEPS[kind]
        else:
            _hook_or_wait(made, kind, name)
    return made


def _run(made: Folded, kind: AppEventType) -> None:
    if kind == AppEventType.RUN_CREATED:
        made.run = AppRunStatus.PENDING
    elif kind == AppEventType.RUN_STARTED:
        made.run = AppRunStatus.RUNNING
    else:
        made.run = ENDINGS[kind]
        made.hook = dict.fromkeys(made.hook, HookStatus.DISPOSED)
        made.wait = dict.fromkeys(made.wait, WaitStatus.COMPLETED)


def _hook_or_wait(made: Folded, kind: AppEventType, name: str) -> None:
    """Apply an event of a hook or wait; one that is created after the end of its run has ended at once."""
    over = made.run not in OPEN or (kind == AppEventType.WAIT_CREATED and name in made.over)
    if kind == AppEventType.HOOK_CREATED:
        made.hook[name] = HookStatus.DISPOSED if over else HookStatus.PENDING
    elif kind == AppEventType.HOOK_RECEIVED and name in made.hook and not over:
        made.hook[name] = HookStatus.RECEIVED
    elif kind == AppEventType.HOOK_DISPOSED and name in made.hook:
        made.hook[name] = HookStatus.DISPOSED
    elif kind == AppEventType.WAIT_CREATED:
        made.wait.setdefault(name, WaitStatus.COMPLETED if over else WaitStatus.WAITING)
    elif kind == AppEventType.WAIT_COMPLETED and name in made.wait:
        made.wait[name] = WaitStatus.COMPLETED
    elif kind == AppEventType.WAIT_COMPLETED:
        made.over.add(name)
