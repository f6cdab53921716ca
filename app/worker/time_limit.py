"""What may interrupt a body: its own time limit, and the end of its process."""

import os
import signal
import threading
from types import FrameType, TracebackType

from billiard.common import terminate_handler_fired  # type: ignore[attr-defined]

from app.domain.errors import StepTimedOut


def end_if_child_of(pid: int) -> None:
    """End a process that a body has forked and that returned from the body: it is not the worker."""
    if os.getpid() != pid:
        os._exit(0)


def end_if_asked() -> None:
    """End this process when Celery asked it to end: the `SystemExit` is no failure of the body.

    The step counts as lost, and another process does it again.
    """
    if terminate_handler_fired():
        os.kill(os.getpid(), signal.SIGKILL)


class TimeLimit:
    """Raises `StepTimedOut` in the body after so many milliseconds; idle outside the main thread."""

    def __init__(self, limit_ms: float, step: str) -> None:
        self._limit_ms, self._step = limit_ms, step
        self._usable = threading.current_thread() is threading.main_thread()
        self._pid = os.getpid()

    def __enter__(self) -> None:
        if self._usable:
            self._before = signal.signal(signal.SIGALRM, self._on_alarm)
            signal.setitimer(signal.ITIMER_REAL, self._limit_ms / 1000)

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _where: TracebackType | None
    ) -> None:
        end_if_child_of(self._pid)
        if self._usable:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._before)
        if error is not None:
            end_if_asked()
        # An alarm while a lock is being taken makes its release fail, and that error hides the alarm's.
        if isinstance(error, RuntimeError) and isinstance(error.__context__, StepTimedOut):
            raise self._late() from error

    def _on_alarm(self, _signum: int, _frame: FrameType | None) -> None:
        raise self._late()

    def _late(self) -> StepTimedOut:
        return StepTimedOut(f"{self._step} ran longer than {self._limit_ms} ms", limitMs=self._limit_ms)
