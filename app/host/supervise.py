"""Keeping processes alive.

1. `run` starts the stages in order; a stage waits until the children of the one before are ready.
2. It then watches: a child that ends is started again after a pause that doubles while it keeps dying.
3. On SIGTERM, SIGINT or the end of `meanwhile` it stops the stages in reverse order: SIGTERM, grace, then
   SIGKILL to the whole group. A second signal ends the patience.

One thread, no SQL, no sockets but those of the readiness checks: a supervisor must not hang or die of what
its children die of. When it is killed, the kernel asks every child to stop (see `child`).
"""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from app.host.child import CannotStart, Child, Life

TICK_S = 0.1
LOG_TAIL_LINES = 20
ROTATE_S = 5.0


def say(text: str) -> None:
    """Tell the operator; nothing ends because nobody can read it: a full disk, a terminal that was closed."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


class Supervisor:
    """The parent of some children."""

    def __init__(
        self, children: Sequence[Child], *, logs: Path | None = None, say: Callable[[str], None] = say
    ) -> None:
        """`logs` is the folder for one file per child; without it they write where the parent does."""
        self._lives = [Life(child, logs) for child in sorted(children, key=lambda child: child.stage)]
        self._say = say
        self._stops = 0
        self._rotate_at = 0.0

    @property
    def pids(self) -> dict[str, int]:
        """The process id of every child that is alive."""
        return {life.child.name: life.pid for life in self._lives if life.pid is not None}

    def run(self, meanwhile: Callable[[], bool] | None = None) -> None:
        """Start, watch and stop; `meanwhile` is asked all the time once all are ready, and False ends it.

        Raises `CannotStart` when a child ends, or takes too long, before it is ready for the first time.
        """
        with self._signals():
            try:
                self._start()
                while not self._stops and self._anyone() and (meanwhile is None or meanwhile()):
                    self._tend()
                    time.sleep(TICK_S)
            finally:
                self._stop()

    def ask_to_stop(self) -> None:
        """Make `run` stop its children and return; a second time, make it stop waiting for them."""
        self._stops += 1

    def _start(self) -> None:
        for stage in self._stages():
            if self._stops:
                return
            for life in stage:
                life.start(time.monotonic())
            for life in stage:
                self._await(life)

    def _await(self, life: Life) -> None:
        if life.child.ready is None:
            return
        deadline = time.monotonic() + life.child.ready_s
        while not self._stops and not life.child.ready():
            status = life.ended(time.monotonic())
            if status is not None:
                raise CannotStart(f"{life.child.name} ended with status {status}{self._tail(life)}")
            if time.monotonic() > deadline:
                raise CannotStart(
                    f"{life.child.name} was not ready in {life.child.ready_s:g} s{self._tail(life)}"
                )
            time.sleep(TICK_S)

    def _tend(self) -> None:
        """Notice what has ended, start what is due."""
        now = time.monotonic()
        for life in self._lives:
            status = life.ended(now)
            if status is not None:
                if life.is_hopeless:
                    raise CannotStart(self._hopeless(life, status))
                what = "is done" if life.done else f"starts again in {life.due - now:g} s"
                self._say(f"{life.child.name} ended with status {status}; it {what}")
            if life.pid is None and not life.done and life.due <= now:
                self._start_again(life, now)

        if now >= self._rotate_at:
            self._rotate_at = now + ROTATE_S
            for life in self._lives:
                life.rotate()

    def _start_again(self, life: Life, now: float) -> None:
        """Out of memory, processes, descriptors or space: that passes, and the other children live on."""
        try:
            life.start(now)
        except (OSError, subprocess.SubprocessError) as error:
            life.put_off(now)
            self._say(f"{life.child.name} cannot start: {error}; tried again in {life.due - now:g} s")

    def _hopeless(self, life: Life, status: int) -> str:
        why = "".join(life.tail(1)) or f"status {status}"
        where = f" (its log is {life.path})" if life.path else ""
        return f"{life.child.name} ended {life.failures} times in the same way at its start{where}: {why}"

    def _stop(self) -> None:
        for stage in reversed(self._stages()):
            for life in stage:
                life.send(signal.SIGTERM)
            deadline = time.monotonic() + max((life.child.grace_s for life in stage), default=0)
            killed = False
            while any(self._lingers(life) for life in stage):
                if not killed and (time.monotonic() > deadline or self._stops > 1):
                    self._kill(stage)
                    killed = True
                time.sleep(TICK_S / 2)

    def _lingers(self, life: Life) -> bool:
        life.ended(time.monotonic())
        return life.pid is not None

    def _kill(self, stage: list[Life]) -> None:
        for life in stage:
            if life.pid is not None:
                self._say(f"{life.child.name} did not stop; it is killed")
                life.send_group(signal.SIGKILL)

    def _stages(self) -> list[list[Life]]:
        numbers = sorted({life.child.stage for life in self._lives})
        return [[life for life in self._lives if life.child.stage == number] for number in numbers]

    def _anyone(self) -> bool:
        return not all(life.done for life in self._lives)

    def _tail(self, life: Life) -> str:
        """The last lines of the child's log, for a start that failed."""
        lines = life.tail(LOG_TAIL_LINES)
        return "\n".join([f"; the end of {life.path}:", *lines]) if lines else ""

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT ask to stop while this lasts."""

        def on_signal(_number: int, _frame: FrameType | None) -> None:
            self.ask_to_stop()

        before = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
