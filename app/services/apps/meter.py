"""What processes count for the metrics of apps, brought together in the record: a scrape reaches only one.

Each dispatcher counts its deliveries, and every ten seconds adds what is new to counters that all of them
share. It also says how many are under way, as doors say how many readers they have. A process that is killed
takes at most ten seconds of its counts with it.
"""

import os
import socket
import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from app.record.apps import numbers
from app.record.service import heartbeats
from app.record.session import Database, Tx

BEAT_S = 10.0
LIVE_MS = 35_000  # Whoever was silent for longer has nothing under way.
KIND = "apps"  # Of heartbeats.
DELIVERIES, READERS = "deliveries", "readers"  # What a process has under way.
BOUNDS_S = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0, 900.0)
SECONDS, SPENT_MS = "delivery_seconds_", "delivery_spent_ms"  # Names of counters; the first by its bound.


class Meter:
    """The counts of one process."""

    def __init__(self, db: Database, what: str) -> None:
        """``what`` is `DELIVERIES` or `READERS`."""
        self._db, self._what = db, what
        self._lock = threading.Lock()
        self._new: Counter[str] = Counter()

    def took(self, seconds: float) -> None:
        """Count a delivery whose handler took so long."""
        with self._lock:
            self._new[f"{SECONDS}{bisect_left(BOUNDS_S, seconds)}"] += 1
            self._new[SPENT_MS] += round(seconds * 1000)

    def say(self, under_way: int) -> None:
        """Add what is new to the counters of all, and tell what is under way."""
        with self._lock:
            new, self._new = self._new, Counter()

        def work(tx: Tx) -> None:
            for name in sorted(new):  # In one order, so that two processes wait and do not deadlock.
                numbers.add(tx, name, new[name])
            heartbeats.note(tx, KIND, self._process(), {self._what: under_way})

        try:
            self._db.write(work, patience_s=1.0)
        except BaseException:
            with self._lock:
                self._new += new
            raise

    def _process(self) -> str:
        return f"{self._what}@{socket.gethostname()}/{os.getpid()}"


def under_way(tx: Tx, what: str) -> int:
    """How many `DELIVERIES` or `READERS` all live processes have."""
    found = heartbeats.live(tx, KIND, tx.now - LIVE_MS)
    return sum(int((row["facts"] or {}).get(what, 0)) for row in found)


def deliveries(tx: Tx) -> tuple[Sequence[int], float]:
    """How many deliveries took at most each of `BOUNDS_S`, and how many in all; and their seconds."""
    counted = numbers.counters(tx)
    total, up_to = 0, []
    for place in range(len(BOUNDS_S) + 1):
        total += counted.get(f"{SECONDS}{place}", 0)
        up_to.append(total)
    return up_to, counted.get(SPENT_MS, 0) / 1000
