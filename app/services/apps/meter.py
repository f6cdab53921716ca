"""Counts of all processes for the metrics of apps, summed in SQL, since a scrape reaches only one process.

Each dispatcher counts its deliveries, and every ten seconds adds them to counters that all dispatchers share.
It also reports how many deliveries are in progress; processes of the apps API report how many stream readers
they have. When a process is killed, at most ten seconds of its counts are lost.
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
LIVE_MS = 35_000  # A process without a report for longer counts as ended.
KIND = "apps"  # Of heartbeats.
DELIVERIES, READERS = "deliveries", "readers"  # What a process has in progress.
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
        """Count a delivery, and the time that its handler took."""
        with self._lock:
            self._new[f"{SECONDS}{bisect_left(BOUNDS_S, seconds)}"] += 1
            self._new[SPENT_MS] += round(seconds * 1000)

    def report(self, under_way: int) -> None:
        """Add the new counts to the shared counters, and store how many are in progress."""
        with self._lock:
            new, self._new = self._new, Counter()

        def work(tx: Tx) -> None:
            for name in sorted(new):  # In one order, so that two processes do not deadlock.
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
    """How many `DELIVERIES` or `READERS` all live processes have in progress."""
    found = heartbeats.live(tx, KIND, tx.now - LIVE_MS)
    return sum(int((row["facts"] or {}).get(what, 0)) for row in found)


def deliveries(tx: Tx) -> tuple[Sequence[int], float]:
    """Cumulative counts of deliveries for each of `BOUNDS_S` and in all, and the sum of their seconds."""
    counted = numbers.counters(tx)
    total, up_to = 0, []
    for place in range(len(BOUNDS_S) + 1):
        total += counted.get(f"{SECONDS}{place}", 0)
        up_to.append(total)
    return up_to, counted.get(SPENT_MS, 0) / 1000
