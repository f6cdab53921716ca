"""What the exit status of `windlass` means: the one table."""

from enum import IntEnum

import windlass
from app.domain import errors
from app.services.authored import CannotImport
from windlass import Run


class Exit(IntEnum):
    """The exit statuses; scripts may rely on them."""

    OK = 0
    ERROR = 1
    USAGE = 2  # The command line, or what it asks the service for, is not valid.
    NOT_FOUND = 3
    AUTH = 4  # No API key, a wrong one, or one without the scope.
    CONFLICT = 5  # Another run, another state, another version is in the way.
    RUN_FAILED = 6  # The run that was waited for failed, or is held until an operator decides.
    RUN_CANCELLED = 7
    UNAVAILABLE = 8  # The service, its database or its Redis cannot be reached just now.
    WAIT_TIMED_OUT = 124
    INTERRUPTED = 130


# The first match counts, so the finer word stands first.
_OF_ERROR: tuple[tuple[type[Exception], Exit], ...] = (
    (windlass.WaitTimeout, Exit.WAIT_TIMED_OUT),
    (windlass.Unavailable, Exit.UNAVAILABLE),
    (windlass.ValidationError, Exit.USAGE),
    (windlass.Unauthorized, Exit.AUTH),
    (windlass.Forbidden, Exit.AUTH),
    (windlass.NotFound, Exit.NOT_FOUND),
    (windlass.Gone, Exit.NOT_FOUND),
    (windlass.Conflict, Exit.CONFLICT),
    (errors.SchemaBehind, Exit.ERROR),
    (errors.Unavailable, Exit.UNAVAILABLE),
    (errors.ValidationFailed, Exit.USAGE),
    (errors.Unauthorized, Exit.AUTH),
    (errors.Forbidden, Exit.AUTH),
    (CannotImport, Exit.USAGE),
    (errors.NotFound, Exit.NOT_FOUND),
    (errors.Conflict, Exit.CONFLICT),
    (errors.InvalidStateTransition, Exit.CONFLICT),
)
_OF_STATUS = {"completed": Exit.OK, "failed": Exit.RUN_FAILED, "cancelled": Exit.RUN_CANCELLED}


def of_error(error: Exception) -> Exit:
    """The status for an error of the client or of our own."""
    return next((status for kind, status in _OF_ERROR if isinstance(error, kind)), Exit.ERROR)


def of_run(run: Run) -> Exit:
    """The status for a run that was waited for; a held one counts as failed."""
    return _OF_STATUS.get(run.status, Exit.RUN_FAILED)
