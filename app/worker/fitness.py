"""Whether this pool process may take another run: what one body leaves behind must not fail the next.

A body that never closes what it opens ends up without descriptors, and so does every body after it in this
process: runs that have nothing to do with it would fail and be undone.
"""

import errno
import os
import signal
from contextlib import ExitStack

import structlog

SPARE = 16  # Descriptors that the next body finds at least.
log = structlog.get_logger(__name__)


def is_fit() -> bool:
    """Whether some files can still be opened."""
    with ExitStack() as opened:
        try:
            for _ in range(SPARE):
                opened.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        except OSError as error:
            return error.errno != errno.EMFILE
        return True


def end_if_unfit() -> None:
    """End this process when it is not fit, between two messages: nothing is lost, and another replaces it."""
    if not is_fit():
        log.error("worker.unfit", reason="bodies have left it without descriptors; it is replaced")
        os.kill(os.getpid(), signal.SIGKILL)
