"""One process under supervision: what it is, and its lives one after the other."""

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from app.domain.errors import WindlassError

FIRST_DELAY_S, LAST_DELAY_S, HEALTHY_S = 0.5, 10.0, 30.0
LOG_BYTES = 10 * 1024 * 1024
PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


class CannotStart(WindlassError):
    """Windlass cannot start here."""

    code = "CANNOT_START"


@dataclass(frozen=True, kw_only=True)
class Child:
    """A process to keep alive."""

    name: str  # What people and the log file call it.
    argv: tuple[str, ...]  # The program and its arguments.
    env: Mapping[str, str] | None = None  # The whole environment; None inherits the parent's.
    stage: int = 0  # Lower stages start first and stop last; within a stage all stop together.
    ready: Callable[[], bool] | None = None  # Says whether later stages may start; None is ready at once.
    ready_s: float = 60.0  # How long it may take to become ready for the first time.
    grace_s: float = 10.0  # How long it may take to stop before it is killed.
    restart_when_done: bool = True  # Whether it starts again also after ending with status 0.


class Life:
    """A child as it runs now: started, ended, due again after a growing pause."""

    def __init__(self, child: Child, logs: Path | None) -> None:
        self.child = child
        self.done = False
        self.due = 0.0
        self.delay = FIRST_DELAY_S
        self._logs = logs
        self._started = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id of the present life."""
        return self._process.pid if self._process else None

    def start(self, now: float) -> None:
        """Begin a life in a session of its own, so that a terminal's Ctrl-C reaches the supervisor alone."""
        output = _log(self._logs / f"{self.child.name}.log") if self._logs else None
        try:
            self._process = subprocess.Popen(
                self.child.argv,
                env=self.child.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                start_new_session=True,
                preexec_fn=end_with(os.getpid()),
            )
        finally:
            if output:
                output.close()
        self._started = now

    def ended(self, now: float) -> int | None:
        """The status of a life that has just ended, or None; kills its orphans and sets the next start."""
        process = self._process
        if process is None or not _is_zombie(process.pid):
            return None
        # The unreaped leader still holds the group's id, so nobody else's group can be hit here.
        self.send_group(signal.SIGKILL)
        status = process.wait()
        self._process = None
        self.done = status == 0 and not self.child.restart_when_done
        healthy = now - self._started >= HEALTHY_S
        pause = FIRST_DELAY_S if healthy else self.delay
        self.due, self.delay = now + pause, min(pause * 2, LAST_DELAY_S)
        return status

    def send(self, number: signal.Signals) -> None:
        """Signal the process itself; its children are its own affair."""
        if self._process:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    def send_group(self, number: signal.Signals) -> None:
        """Signal the process and everything it started."""
        if self._process:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)


def end_with(parent: int, number: signal.Signals = signal.SIGTERM) -> Callable[[], None]:
    """What a child does before it becomes its program: ask the kernel for a signal when the parent dies."""

    def before_exec() -> None:
        _LIBC.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:  # The parent died before the kernel knew.
            os._exit(1)

    return before_exec


def _is_zombie(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _log(path: Path) -> IO[bytes]:
    """The log to append to; one that has grown large is put aside first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab")
