"""What the body of a measured step does: it leaves a mark for the outside witness, and takes its time.

Every candidate runs this very function, peers in an environment of their own: standard library alone.
"""

import os
import time
from pathlib import Path
from typing import NamedTuple

LINE = 75  # Bytes of a mark.
_FILE = -1


def work(run: str, place: int, ms: float) -> None:
    """The body: mark its start, then last so many milliseconds."""
    mark(run, place)
    if ms:  # Even a sleep of nothing costs as much as half a commit.
        time.sleep(ms / 1000)


def mark(run: str, place: int) -> None:
    """Say that this step of this run has begun; one atomic append."""
    global _FILE
    if _FILE < 0:
        _FILE = os.open(os.environ["BENCH_WITNESS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(_FILE, f"{run:<40.40}{place:>5}{os.getpid():>9}{time.monotonic_ns():>20}\n".encode())


class Mark(NamedTuple):
    """One step has begun."""

    run: str
    place: int  # Of the step in its run.
    pid: int  # The process it runs in, as that process knows itself.
    moment: float  # Seconds of CLOCK_MONOTONIC.


class Witness:
    """The marks that bodies have left, as a reader sees them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def count(self) -> int:
        """How many steps have begun so far."""
        return self.path.stat().st_size // LINE

    def marks(self, first: int = 0) -> list[Mark]:
        """Every mark from this one on."""
        with self.path.open() as file:
            file.seek(first * LINE)
            return [
                Mark(line[:40].rstrip(), int(line[40:45]), int(line[45:54]), int(line[54:74]) / 1e9)
                for line in file
            ]
