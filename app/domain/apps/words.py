"""The statuses of runs, steps, hooks and waits, and the types of events, as the wire spells them."""

from enum import StrEnum


class AppRunStatus(StrEnum):
    """Where a run of an app stands."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class AppStepStatus(StrEnum):
    """Where a step stands; ``cancelled`` is read from older rows and never written."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class HookStatus(StrEnum):
    """A hook claims its token until it is disposed."""

    PENDING = "pending"
    RECEIVED = "received"
    DISPOSED = "disposed"


class WaitStatus(StrEnum):
    """A sleep, and whether it is over."""

    WAITING = "waiting"
    COMPLETED = "completed"


class MessageState(StrEnum):
    """Where a message stands; an open one is new, delayed, being delivered or failed."""

    OPEN = "open"
    DELIVERED = "delivered"
    DEAD = "dead"


class AppEventType(StrEnum):
    """What may stand in the log of an app's run; ``hook_conflict`` is written by the service alone."""

    RUN_CREATED = "run_created"
    RUN_STARTED = "run_started"
    RUN_COMPLETED = "run_completed"
    RUN_FAILED = "run_failed"
    RUN_CANCELLED = "run_cancelled"
    RUN_EXPIRED = "run_expired"
    ATTR_SET = "attr_set"
    STEP_CREATED = "step_created"
    STEP_STARTED = "step_started"
    STEP_COMPLETED = "step_completed"
    STEP_FAILED = "step_failed"
    STEP_RETRYING = "step_retrying"
    HOOK_CREATED = "hook_created"
    HOOK_RECEIVED = "hook_received"
    HOOK_DISPOSED = "hook_disposed"
    HOOK_CONFLICT = "hook_conflict"
    WAIT_CREATED = "wait_created"
    WAIT_COMPLETED = "wait_completed"


OPEN = frozenset({AppRunStatus.PENDING, AppRunStatus.RUNNING})
ENDINGS = {
    AppEventType.RUN_COMPLETED: AppRunStatus.COMPLETED,
    AppEventType.RUN_FAILED: AppRunStatus.FAILED,
    AppEventType.RUN_CANCELLED: AppRunStatus.CANCELLED,
    AppEventType.RUN_EXPIRED: AppRunStatus.EXPIRED,
}
TOLD = {  # What webhooks are told when a run ends (app.domain.events).
    AppEventType.RUN_COMPLETED: "app.run.completed",
    AppEventType.RUN_FAILED: "app.run.failed",
    AppEventType.RUN_CANCELLED: "app.run.cancelled",
}
FROM_CLIENTS = frozenset(AppEventType) - {AppEventType.HOOK_CONFLICT}
SLOTTED = 6  # Runs from this spec version on have slots for the ids of their events.
WITH_ATTRIBUTES = 4
QUEUE = "app"  # Of Celery: where those who deliver messages of apps hear that something waits.
LARGEST_BODY = 20 * 1_048_576  # Bytes of a request.
