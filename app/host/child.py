"""One process under supervision: what it is, and its lives one after the other."""

import ctypes
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from app.domain.errors import WindlassError

FIRST_DELAY_S, LAST_DELAY_S, HEALTHY_S = 0.5, 10.0, 30.0
MOST_STARTS = 6  # A child that never lived well and has ended in the same way so often will do so for ever.
LOG_BYTES = 10 * 1024 * 1024
TAIL_BYTES = 64 * 1024
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
    ready_s: float = 300.0  # How long it may take to become ready for the first time, on a busy machine, too.
    grace_s: float = 10.0  # How long it may take to stop before it is killed.
    restart_when_done: bool = True  # Whether it starts again also after ending with status 0.


class Life:
    """A child as it runs now: started, ended, due again after a growing pause."""

    def __init__(self, child: Child, logs: Path | None) -> None:
        self.child = child
        self.done = False
        self.due = 0.0
        self.delay = FIRST_DELAY_S
        self.path = logs / f"{child.name}.log" if logs else None
        self.failures = 0  # How often in a row it ended in the same way before it ever lived well.
        self._how: tuple[int, str] | None = None
        self._lived_well = False
        self._started = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id of the present life."""
        return self._process.pid if self._process else None

    def start(self, now: float) -> None:
        """Begin a life in a session of its own, so that a terminal's Ctrl-C reaches the supervisor alone."""
        self.rotate()
        output = _log(self.path) if self.path else None
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
        self._count(status, healthy)
        if healthy:
            self.delay = FIRST_DELAY_S
        self.put_off(now)
        return status

    def put_off(self, now: float) -> None:
        """Start again after a pause, which grows."""
        self.due, self.delay = now + self.delay, min(self.delay * 2, LAST_DELAY_S)

    @property
    def is_hopeless(self) -> bool:
        """Whether it will end in the same way again."""
        return self.failures >= MOST_STARTS

    def tail(self, lines: int) -> list[str]:
        """The last lines of its log, if there is one that can be read."""
        if self.path is None:
            return []
        try:
            with self.path.open("rb") as log:
                log.seek(max(0, self.path.stat().st_size - TAIL_BYTES))
                return log.read().decode(errors="replace").splitlines()[-lines:]
        except OSError:
            return []

    def rotate(self) -> None:
        """Put a log aside that has grown large; the process goes on writing to the same file."""
        with suppress(OSError):  # A full disk: the log may be lost, the service goes on.
            if self.path and self.path.stat().st_size > LOG_BYTES:
                shutil.copyfile(self.path, self.path.with_suffix(".log.1"))
                os.truncate(self.path, 0)

    def _count(self, status: int, healthy: bool) -> None:
        """A signal came from outside and says nothing of the child."""
        self._lived_well = self._lived_well or healthy
        how = (status, re.sub(r"\d+", "", "".join(self.tail(1))))  # Times and process ids differ.
        alike = self._how is None or self._how == how
        fails = status > 0 and not self._lived_well
        self.failures = (self.failures + 1 if alike else 1) if fails else 0
        self._how = how if fails else None

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
    """The log to append to: every write goes to its end, also after it was cut."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path.open("ab")
