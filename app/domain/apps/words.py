"""The statuses of runs, steps, hooks and waits, and the types of events, as the protocol names them."""

from enum import StrEnum


class AppRunStatus(StrEnum):
    """The status of a run of an app."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class AppStepStatus(StrEnum):
    """The status of a step; ``cancelled`` is read from older rows and never written."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class HookStatus(StrEnum):
    """The status of a hook, which holds its token until it is disposed."""

    PENDING = "pending"
    RECEIVED = "received"
    DISPOSED = "disposed"


class WaitStatus(StrEnum):
    """The status of a wait (a sleep of the workflow)."""

    WAITING = "waiting"
    COMPLETED = "completed"


class MessageState(StrEnum):
    """The status of a message; an open one is new, delayed, being delivered, or due again after a failure."""

    OPEN = "open"
    DELIVERED = "delivered"
    DEAD = "dead"


class AppEventType(StrEnum):
    """The types of events in the log of an app's run; only the service writes ``hook_conflict``."""

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
WEBHOOK_EVENTS = {  # The public event when a run ends (app.domain.events).
    AppEventType.RUN_COMPLETED: "app.run.completed",
    AppEventType.RUN_FAILED: "app.run.failed",
    AppEventType.RUN_CANCELLED: "app.run.cancelled",
}
FROM_CLIENTS = frozenset(AppEventType) - {AppEventType.HOOK_CONFLICT}
SLOTTED = 6  # From this spec version on, the ids of a run's events are their slots.
WITH_ATTRIBUTES = 4
QUEUE = "app"  # The Celery queue of the workers that deliver messages of apps.
LARGEST_BODY = 20 * 1_048_576  # Bytes of a request.
