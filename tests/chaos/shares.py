"""How much of the machine a process gets that wants to work: a program of its own that computes now and then.

A verdict shall not depend on what else the machine does. What a service may take until it has recovered is
given in seconds of a machine that it has for itself; where a computation of 10 ms takes 40, three seconds are
worth 0.75. Leases and time limits are not computed: they count in full.

    shares = Shares(folder); …; shares.close(); given(shares.found, began, ended)
"""

import hashlib
import os
import subprocess
import sys
import threading
import time
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

EVERY_S = 1.0
WORK = bytes(16 * 1024 * 1024)  # About 10 ms: several turns of a scheduler that has others to serve.


@dataclass(frozen=True, kw_only=True)
class Share:
    """What a process got; `at` is in milliseconds since 1970."""

    at: int
    part: float  # 1.0: all that it wanted.


class Shares:
    """Watches until it is closed."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "shares"
        self._path.touch()
        self._process = subprocess.Popen([sys.executable, "-I", __file__, str(self._path)])

    @property
    def found(self) -> list[Share]:
        """What was seen so far."""
        return judged([line.split() for line in self._path.read_text().splitlines()])

    def close(self) -> None:
        """Watch no longer."""
        self._process.kill()
        self._process.wait()


def judged(seen: Sequence[Sequence[str]]) -> list[Share]:
    """Shares, from lines of a moment, what the work took, and how much of that was computing.

    The least that it ever computed is what the work needs: other guests of a host take more of it unseen.
    """
    least = min((float(cpu) for _, _, cpu in seen), default=0.0)
    return [Share(at=int(at), part=min(1.0, least / max(float(wall), 1e-6))) for at, wall, _ in seen]


def given(shares: Sequence[Share], began: int, ended: int) -> int:
    """How many milliseconds of a machine for itself a process got in between."""
    places = [share.at for share in shares]
    first, after = bisect_left(places, began), bisect_left(places, ended)
    within = shares[first : after + 1] or shares[-1:]
    part = sum(share.part for share in within) / len(within) if within else 1.0
    return round((ended - began) * part)


def main(path: str) -> None:
    """Compute, and write down how long it took, as long as the process that asked for it lives."""
    parent, pause = os.getppid(), threading.Event()
    with Path(path).open("a", buffering=1) as file:
        while os.getppid() == parent:
            began, worked = time.monotonic(), time.process_time()
            hashlib.sha256(WORK)
            cpu, wall = time.process_time() - worked, time.monotonic() - began
            file.write(f"{time.time_ns() // 1_000_000} {wall:.6f} {cpu:.6f}\n")
            pause.wait(EVERY_S)


if __name__ == "__main__":
    main(sys.argv[1])
