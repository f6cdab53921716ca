"""Every status, every arrow between two of them, and the groups that rules use.

States are data: a pair (from, to) with one comment per arrow. `check_run` and `check_step` are the only
judges; the tables are walked by a test and printed in ``docs/states.rst``.
"""

from enum import StrEnum

from app.domain.errors import InvalidStateTransition


class Run(StrEnum):
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


class Step(StrEnum):
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


API_STATUS = {
    Run.QUEUED: "pending",
    Run.LOCK_WAITING: "pending",
    Run.RUNNING: "running",
    Run.WAITING: "running",
    Run.PAUSED: "running",
    Run.BLOCKED: "running",
    Run.CANCELLING: "running",
    Run.COMPENSATING: "running",
    Run.FAILED_HELD: "running",
    Run.COMPENSATION_FAILED: "running",
    Run.COMPLETED: "completed",
    Run.FAILED: "failed",
    Run.CANCELLED: "cancelled",
}
API_WORDS = ("pending", "running", "completed", "failed", "cancelled")

ORDERED_ON_FAILURE = ("compensate", "hold")  # What an order may ask for.
ON_FAILURE = (*ORDERED_ON_FAILURE, "keep")  # What a run may do; a batch keeps what it has built.

TERMINAL = frozenset({Run.COMPLETED, Run.FAILED, Run.CANCELLED})
NEEDS_OPERATOR = frozenset({Run.FAILED_HELD, Run.COMPENSATION_FAILED, Run.BLOCKED})
STANDING = NEEDS_OPERATOR | {Run.PAUSED}  # Until somebody does something: no time that the work takes.
FORWARD = frozenset({Run.QUEUED, Run.RUNNING, Run.WAITING})  # A forward step may be claimed.
UNWINDING = frozenset({Run.COMPENSATING})  # An undo may be claimed.
STEP_DONE = frozenset({Step.COMPLETED, Step.SKIPPED, Step.RESOLVED})  # The next step may follow.
STEP_ENDED = STEP_DONE | {Step.FAILED, Step.CANCELLED}

RUN_ARROWS = frozenset(
    {
        (Run.LOCK_WAITING, Run.QUEUED),  # the lock was granted
        (Run.LOCK_WAITING, Run.CANCELLED),  # cancelled before anything happened
        (Run.LOCK_WAITING, Run.PAUSED),  # an operator holds it back
        (Run.QUEUED, Run.LOCK_WAITING),  # accepted while another run holds the resource
        (Run.QUEUED, Run.RUNNING),  # the first step was claimed
        (Run.QUEUED, Run.CANCELLED),  # cancelled before anything happened
        (Run.QUEUED, Run.PAUSED),  # an operator holds it back
        (Run.QUEUED, Run.COMPENSATING),  # an operator compensates a retry that has not begun
        (Run.QUEUED, Run.FAILED),  # nothing was done and nothing is left to undo
        (Run.RUNNING, Run.WAITING),  # only waits are left
        (Run.RUNNING, Run.PAUSED),  # an operator holds it back
        (Run.RUNNING, Run.BLOCKED),  # an outcome is unknown and must not be repeated
        (Run.RUNNING, Run.CANCELLING),  # steps still run; nothing new starts
        (Run.RUNNING, Run.COMPENSATING),  # a step failed for good, or cancel was honoured
        (Run.RUNNING, Run.FAILED_HELD),  # a step failed and the run keeps what it has
        (Run.RUNNING, Run.COMPLETED),  # the last step is done
        (Run.RUNNING, Run.FAILED),  # failed with nothing to undo
        (Run.RUNNING, Run.CANCELLED),  # cancelled with nothing to undo
        (Run.WAITING, Run.RUNNING),  # the wait is over
        (Run.WAITING, Run.PAUSED),  # an operator holds it back
        (Run.WAITING, Run.BLOCKED),  # the step that waited ended unknown
        (Run.WAITING, Run.CANCELLING),  # a parallel step still runs
        (Run.WAITING, Run.COMPENSATING),  # cancelled, or its deadline passed
        (Run.WAITING, Run.FAILED_HELD),  # its deadline passed and the run keeps what it has
        (Run.WAITING, Run.COMPLETED),  # the wait was the last thing to do
        (Run.WAITING, Run.FAILED),  # its deadline passed with nothing to undo
        (Run.WAITING, Run.CANCELLED),  # cancelled with nothing to undo
        (Run.PAUSED, Run.RUNNING),  # an operator lets it go on
        (Run.PAUSED, Run.QUEUED),  # an operator lets it start
        (Run.PAUSED, Run.LOCK_WAITING),  # an operator lets it wait for its lock again
        (Run.PAUSED, Run.WAITING),  # an operator lets it go on waiting
        (Run.PAUSED, Run.CANCELLING),  # cancelled while a step still ran
        (Run.PAUSED, Run.COMPENSATING),  # cancelled while paused
        (Run.PAUSED, Run.CANCELLED),  # cancelled with nothing to undo
        (Run.PAUSED, Run.FAILED),  # given up with nothing to undo
        (Run.PAUSED, Run.FAILED_HELD),  # a step that still ran failed
        (Run.PAUSED, Run.BLOCKED),  # a step that still ran ended unknown
        (Run.BLOCKED, Run.RUNNING),  # an operator said what happened, or to try again
        (Run.BLOCKED, Run.CANCELLING),  # an operator compensates while a step still runs
        (Run.BLOCKED, Run.FAILED_HELD),  # a parallel step failed and the run keeps what it has
        (Run.BLOCKED, Run.COMPENSATING),  # an operator compensates
        (Run.BLOCKED, Run.FAILED),  # an operator gives up with nothing to undo
        (Run.BLOCKED, Run.CANCELLED),  # cancelled with nothing to undo
        (Run.CANCELLING, Run.COMPENSATING),  # the last running step has ended
        (Run.CANCELLING, Run.FAILED_HELD),  # the last running step has ended, the run keeps what it has
        (Run.CANCELLING, Run.FAILED),  # ended with nothing to undo
        (Run.CANCELLING, Run.CANCELLED),  # ended with nothing to undo
        (Run.COMPENSATING, Run.FAILED),  # all undone
        (Run.COMPENSATING, Run.CANCELLED),  # all undone after a cancel
        (Run.COMPENSATING, Run.COMPENSATION_FAILED),  # an undo is exhausted
        (Run.COMPENSATION_FAILED, Run.COMPENSATING),  # an operator retries, skips or resolves the undo
        (Run.COMPENSATION_FAILED, Run.FAILED),  # an operator resolved the last undo
        (Run.COMPENSATION_FAILED, Run.CANCELLED),  # an operator resolved the last undo after a cancel
        (Run.FAILED_HELD, Run.RUNNING),  # an operator resumes at the failed step
        (Run.FAILED_HELD, Run.COMPENSATING),  # an operator compensates, or the hold time is over
        (Run.FAILED_HELD, Run.FAILED),  # retried as a new run, or nothing to undo
        (Run.FAILED_HELD, Run.CANCELLED),  # cancelled with nothing to undo
    }
)

STEP_ARROWS = frozenset(
    {
        (Step.PENDING, Step.RUNNING),  # claimed
        (Step.PENDING, Step.WAITING),  # a fan-out opens
        (Step.PENDING, Step.CANCELLED),  # its run ended first
        (Step.PENDING, Step.SKIPPED),  # an operator skips it
        (Step.PENDING, Step.COMPLETED),  # a group with no members
        (Step.PENDING, Step.RETRY_WAIT),  # a call of a code workflow failed, another attempt is due
        (Step.PENDING, Step.RESOLVED),  # an operator says that it is done
        (Step.PENDING, Step.FAILED),  # poisoned, or its input is missing
        (Step.RUNNING, Step.COMPLETED),  # settled
        (Step.RUNNING, Step.FAILED),  # failed for good
        (Step.RUNNING, Step.RETRY_WAIT),  # failed, another attempt is due
        (Step.RUNNING, Step.WAITING),  # parked until a timer, a hook or its members
        (Step.RUNNING, Step.PENDING),  # its worker was lost or handed it back; the outcome is unknown
        (Step.RUNNING, Step.CANCELLED),  # killed with its outcome unknown
        (Step.RETRY_WAIT, Step.PENDING),  # the next attempt is due
        (Step.RETRY_WAIT, Step.FAILED),  # its deadline passed
        (Step.RETRY_WAIT, Step.CANCELLED),  # its run is unwinding
        (Step.RETRY_WAIT, Step.SKIPPED),  # an operator skips it
        (Step.RETRY_WAIT, Step.RESOLVED),  # an operator says that it is done
        (Step.WAITING, Step.PENDING),  # the next poll is due, or a hook was called
        (Step.WAITING, Step.COMPLETED),  # its members have ended
        (Step.WAITING, Step.FAILED),  # its deadline passed, or a member failed
        (Step.WAITING, Step.CANCELLED),  # its run is unwinding
        (Step.WAITING, Step.SKIPPED),  # an operator skips it
        (Step.WAITING, Step.RESOLVED),  # an operator says that it is done
        (Step.FAILED, Step.PENDING),  # an operator lets it try again
        (Step.FAILED, Step.WAITING),  # an operator lets the members of a fan-out try again
        (Step.FAILED, Step.SKIPPED),  # an operator skips it
        (Step.FAILED, Step.RESOLVED),  # an operator says that it is done
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
