"""Tells a machine that stands still from a service that does: a thread that only writes to the disk.

A machine that others use as well may keep a write to the disk, or a process that is ready to run, waiting for
seconds. Nothing recovers meanwhile, so recovery times count from the end of such a stall, and
every report has how many there were and how long they took.
"""

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

EVERY_S = 0.25
LONG_MS = 1_000  # What a write of one byte and a read of the clock never take on a machine that works.


@dataclass(frozen=True, kw_only=True)
class Stall:
    """The machine stood still; times are milliseconds since 1970."""

    at: int
    until: int


class Stalls:
    """Watches until it is closed."""

    def __init__(self, folder: Path) -> None:
        self.found: list[Stall] = []
        self._path = folder / "stalls"
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="stalls", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Watch no longer."""
        self._closed.set()
        self._thread.join(30)

    def _watch(self) -> None:
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o644)
        while not self._closed.wait(EVERY_S):
            began = time.monotonic()
            os.pwrite(handle, b"x", 0)
            os.fdatasync(handle)
            took = round((time.monotonic() - began) * 1000)
            if took > LONG_MS:
                now = round(time.time() * 1000)
                self.found.append(Stall(at=now - took, until=now))
        os.close(handle)
