"""Processes of a measurement: started with a log, their CPU time counted as a tree, stopped together."""

import os
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import psutil

from app.host.child import end_with

ROOT = Path(__file__).parents[2]
STOP_S = 40.0


class Running:
    """A program with its log; it and all its children end together."""

    def __init__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        log: Path,
        *,
        talks: bool = False,
    ) -> None:
        """``talks`` keeps stdin and stdout for lines of JSON; otherwise both streams go to the log."""
        with log.open("ab") as file:
            self.process: subprocess.Popen[str] = subprocess.Popen(
                argv,
                cwd=ROOT,
                env=dict(env),
                stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
                stdout=subprocess.PIPE if talks else file,
                stderr=file,
                text=True,
                start_new_session=True,
                preexec_fn=end_with(os.getpid(), signal.SIGKILL),
            )
        self.log = log

    @property
    def pid(self) -> int:
        """The process id of the program itself."""
        return self.process.pid

    @property
    def input(self) -> IO[str]:
        """Its stdin."""
        assert self.process.stdin is not None
        return self.process.stdin

    @property
    def output(self) -> IO[str]:
        """Its stdout."""
        assert self.process.stdout is not None
        return self.process.stdout

    def family(self) -> list[psutil.Process]:
        """The program and all its descendants that live."""
        with suppress(psutil.NoSuchProcess):
            own = psutil.Process(self.pid)
            return [own, *own.children(recursive=True)]
        return []

    def has_ended(self) -> bool:
        """Whether the program itself is gone."""
        return self.process.poll() is not None

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ask it to end, and kill what is left of its family after a while."""
        family = self.family()
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_S)
        self._kill(family)

    def kill(self) -> None:
        """Kill -9 the whole family at once."""
        self._kill(self.family())

    def _kill(self, family: Iterable[psutil.Process]) -> None:
        living = list(family)
        for process in living:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait(STOP_S)
        psutil.wait_procs(living, STOP_S)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()


def cpu_seconds(roots: Iterable[int]) -> float:
    """User and system time of these process trees so far, with their children that have ended."""
    total = 0.0
    for root in roots:
        with suppress(psutil.NoSuchProcess):
            own = psutil.Process(root)
            for process in [own, *own.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    total += sum(process.cpu_times()[:4])
    return total
