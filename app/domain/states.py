"""Every status, every arrow between two of them, and the groups that rules use.

States are data: a pair (from, to) with one comment per arrow. `check_run` and `check_step` are the only
judges; the tables are walked by a test and printed in ``docs/states.rst``.
"""

from enum import StrEnum

from app.domain.errors import InvalidStateTransition


class RunStatus(StrEnum):
    """The exact states of a run (states.rst); the API shows one of five words for each."""

    QUEUED = "queued"
    LOCK_WAITING = "lock_waiting"
    RUNNING = "running"
    WAITING = "waiting"
    PAUSED = "paused"
    BLOCKED = "blocked"
    CANCELLING = "cancelling"
    COMPENSATING = "compensating"
    FAILED_HELD = "failed_held"
    COMPENSATION_FAILED = "compensation_failed"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StepStatus(StrEnum):
    """The states of a step, forward or undo."""

    PENDING = "pending"
    RUNNING = "running"
    RETRY_WAIT = "retry_wait"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    RESOLVED = "resolved"


class StepOutcome(StrEnum):
    """What a step has done to the world, as far as the record knows; only ``none`` needs no undo."""

    NONE = "none"
    DONE = "done"
    UNKNOWN = "unknown"


API_STATUS = {
    RunStatus.QUEUED: "pending",
    RunStatus.LOCK_WAITING: "pending",
    RunStatus.RUNNING: "running",
    RunStatus.WAITING: "running",
    RunStatus.PAUSED: "running",
    RunStatus.BLOCKED: "running",
    RunStatus.CANCELLING: "running",
    RunStatus.COMPENSATING: "running",
    RunStatus.FAILED_HELD: "running",
    RunStatus.COMPENSATION_FAILED: "running",
    RunStatus.COMPLETED: "completed",
    RunStatus.FAILED: "failed",
    RunStatus.CANCELLED: "cancelled",
}
API_WORDS = ("pending", "running", "completed", "failed", "cancelled")

ORDERED_ON_FAILURE = ("compensate", "hold")  # What an order may ask for.
ON_FAILURE = (*ORDERED_ON_FAILURE, "keep")  # What a run may do; a batch keeps what it has built.

TERMINAL = frozenset({RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED})
NEEDS_OPERATOR = frozenset({RunStatus.FAILED_HELD, RunStatus.COMPENSATION_FAILED, RunStatus.BLOCKED})
STANDING = NEEDS_OPERATOR | {RunStatus.PAUSED}  # Until somebody does something: no time that the work takes.
FORWARD = frozenset({RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.WAITING})  # A forward step may start.
UNWINDING = frozenset({RunStatus.COMPENSATING})  # An undo may be claimed.
STEP_DONE = frozenset(
    {StepStatus.COMPLETED, StepStatus.SKIPPED, StepStatus.RESOLVED}
)  # The next one may follow.
STEP_ENDED = STEP_DONE | {StepStatus.FAILED, StepStatus.CANCELLED}

RUN_ARROWS = frozenset(
    {
        (RunStatus.LOCK_WAITING, RunStatus.QUEUED),  # the lock was granted
        (RunStatus.LOCK_WAITING, RunStatus.CANCELLED),  # cancelled before anything happened
        (RunStatus.LOCK_WAITING, RunStatus.PAUSED),  # an operator holds it back
        (RunStatus.QUEUED, RunStatus.LOCK_WAITING),  # accepted while another run holds the resource
        (RunStatus.QUEUED, RunStatus.RUNNING),  # the first step was claimed
        (RunStatus.QUEUED, RunStatus.CANCELLED),  # cancelled before anything happened
        (RunStatus.QUEUED, RunStatus.PAUSED),  # an operator holds it back
        (RunStatus.QUEUED, RunStatus.COMPENSATING),  # an operator compensates a retry that has not begun
        (RunStatus.QUEUED, RunStatus.FAILED),  # nothing was done and nothing is left to undo
        (RunStatus.RUNNING, RunStatus.WAITING),  # only waits are left
        (RunStatus.RUNNING, RunStatus.PAUSED),  # an operator holds it back
        (RunStatus.RUNNING, RunStatus.BLOCKED),  # an outcome is unknown and must not be repeated
        (RunStatus.RUNNING, RunStatus.CANCELLING),  # steps still run; nothing new starts
        (RunStatus.RUNNING, RunStatus.COMPENSATING),  # a step failed for good, or cancel was honoured
        (RunStatus.RUNNING, RunStatus.FAILED_HELD),  # a step failed and the run keeps what it has
        (RunStatus.RUNNING, RunStatus.COMPLETED),  # the last step is done
        (RunStatus.RUNNING, RunStatus.FAILED),  # failed with nothing to undo
        (RunStatus.RUNNING, RunStatus.CANCELLED),  # cancelled with nothing to undo
        (RunStatus.WAITING, RunStatus.RUNNING),  # the wait is over
        (RunStatus.WAITING, RunStatus.PAUSED),  # an operator holds it back
        (RunStatus.WAITING, RunStatus.BLOCKED),  # the step that waited ended unknown
        (RunStatus.WAITING, RunStatus.CANCELLING),  # a parallel step still runs
        (RunStatus.WAITING, RunStatus.COMPENSATING),  # cancelled, or its deadline passed
        (RunStatus.WAITING, RunStatus.FAILED_HELD),  # its deadline passed and the run keeps what it has
        (RunStatus.WAITING, RunStatus.COMPLETED),  # the wait was the last thing to do
        (RunStatus.WAITING, RunStatus.FAILED),  # its deadline passed with nothing to undo
        (RunStatus.WAITING, RunStatus.CANCELLED),  # cancelled with nothing to undo
        (RunStatus.PAUSED, RunStatus.RUNNING),  # an operator lets it go on
        (RunStatus.PAUSED, RunStatus.QUEUED),  # an operator lets it start
        (RunStatus.PAUSED, RunStatus.LOCK_WAITING),  # an operator lets it wait for its lock again
        (RunStatus.PAUSED, RunStatus.WAITING),  # an operator lets it go on waiting
        (RunStatus.PAUSED, RunStatus.CANCELLING),  # cancelled while a step still ran
        (RunStatus.PAUSED, RunStatus.COMPENSATING),  # cancelled while paused
        (RunStatus.PAUSED, RunStatus.CANCELLED),  # cancelled with nothing to undo
        (RunStatus.PAUSED, RunStatus.FAILED),  # given up with nothing to undo
        (RunStatus.PAUSED, RunStatus.FAILED_HELD),  # a step that still ran failed
        (RunStatus.PAUSED, RunStatus.BLOCKED),  # a step that still ran ended unknown
        (RunStatus.BLOCKED, RunStatus.RUNNING),  # an operator said what happened, or to try again
        (RunStatus.BLOCKED, RunStatus.CANCELLING),  # an operator compensates while a step still runs
        (RunStatus.BLOCKED, RunStatus.FAILED_HELD),  # a parallel step failed and the run keeps what it has
        (RunStatus.BLOCKED, RunStatus.COMPENSATING),  # an operator compensates
        (RunStatus.BLOCKED, RunStatus.FAILED),  # an operator gives up with nothing to undo
        (RunStatus.BLOCKED, RunStatus.CANCELLED),  # cancelled with nothing to undo
        (RunStatus.CANCELLING, RunStatus.COMPENSATING),  # the last running step has ended
        (RunStatus.CANCELLING, RunStatus.FAILED_HELD),  # the last step has ended, the run keeps what it has
        (RunStatus.CANCELLING, RunStatus.FAILED),  # ended with nothing to undo
        (RunStatus.CANCELLING, RunStatus.CANCELLED),  # ended with nothing to undo
        (RunStatus.COMPENSATING, RunStatus.FAILED),  # all undone
        (RunStatus.COMPENSATING, RunStatus.CANCELLED),  # all undone after a cancel
        (RunStatus.COMPENSATING, RunStatus.COMPENSATION_FAILED),  # an undo is exhausted
        (RunStatus.COMPENSATION_FAILED, RunStatus.COMPENSATING),  # an operator retries, skips or resolves it
        (RunStatus.COMPENSATION_FAILED, RunStatus.FAILED),  # an operator resolved the last undo
        (RunStatus.COMPENSATION_FAILED, RunStatus.CANCELLED),  # an operator resolved the last one, cancelled
        (RunStatus.FAILED_HELD, RunStatus.RUNNING),  # an operator resumes at the failed step
        (RunStatus.FAILED_HELD, RunStatus.COMPENSATING),  # an operator compensates, or the hold time is over
        (RunStatus.FAILED_HELD, RunStatus.FAILED),  # retried as a new run, or nothing to undo
        (RunStatus.FAILED_HELD, RunStatus.CANCELLED),  # cancelled with nothing to undo
    }
)

STEP_ARROWS = frozenset(
    {
        (StepStatus.PENDING, StepStatus.RUNNING),  # claimed
        (StepStatus.PENDING, StepStatus.WAITING),  # a fan-out opens
        (StepStatus.PENDING, StepStatus.CANCELLED),  # its run ended first
        (StepStatus.PENDING, StepStatus.SKIPPED),  # an operator skips it
        (StepStatus.PENDING, StepStatus.COMPLETED),  # a group with no members
        (StepStatus.PENDING, StepStatus.RETRY_WAIT),  # a call of a code workflow failed, to be retried
        (StepStatus.PENDING, StepStatus.RESOLVED),  # an operator says that it is done
        (StepStatus.PENDING, StepStatus.FAILED),  # poisoned, or its input is missing
        (StepStatus.RUNNING, StepStatus.COMPLETED),  # settled
        (StepStatus.RUNNING, StepStatus.FAILED),  # failed for good
        (StepStatus.RUNNING, StepStatus.RETRY_WAIT),  # failed, another attempt is due
        (StepStatus.RUNNING, StepStatus.WAITING),  # suspended until a timer, a hook or its members
        (StepStatus.RUNNING, StepStatus.PENDING),  # its worker was lost or gave it back, outcome unknown
        (StepStatus.RUNNING, StepStatus.CANCELLED),  # killed with its outcome unknown
        (StepStatus.RETRY_WAIT, StepStatus.PENDING),  # the next attempt is due
        (StepStatus.RETRY_WAIT, StepStatus.FAILED),  # its deadline passed
        (StepStatus.RETRY_WAIT, StepStatus.CANCELLED),  # its run is unwinding
        (StepStatus.RETRY_WAIT, StepStatus.SKIPPED),  # an operator skips it
        (StepStatus.RETRY_WAIT, StepStatus.RESOLVED),  # an operator says that it is done
        (StepStatus.WAITING, StepStatus.PENDING),  # the next poll is due, or a hook was called
        (StepStatus.WAITING, StepStatus.COMPLETED),  # its members have ended
        (StepStatus.WAITING, StepStatus.FAILED),  # its deadline passed, or a member failed
        (StepStatus.WAITING, StepStatus.CANCELLED),  # its run is unwinding
        (StepStatus.WAITING, StepStatus.SKIPPED),  # an operator skips it
        (StepStatus.WAITING, StepStatus.RESOLVED),  # an operator says that it is done
        (StepStatus.FAILED, StepStatus.PENDING),  # an operator lets it try again
        (StepStatus.FAILED, StepStatus.WAITING),  # an operator lets the members of a fan-out try again
        (StepStatus.FAILED, StepStatus.SKIPPED),  # an operator skips it
        (StepStatus.FAILED, StepStatus.RESOLVED),  # an operator says that it is done
    }
)


def check_run(old: str, new: str) -> None:
    """Raise `InvalidStateTransition` unless a run may go from one status to the other."""
    if old != new and (old, new) not in RUN_ARROWS:
        raise InvalidStateTransition(f"A run that is {old} cannot become {new}", current=old)


def check_step(old: str, new: str) -> None:
    """Raise `InvalidStateTransition` unless a step may go from one status to the other."""
    if (old, new) not in STEP_ARROWS:
        raise InvalidStateTransition(f"A step that is {old} cannot become {new}", current=old)
