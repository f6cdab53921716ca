"""The naive Celery candidate with a bug, named by the candidate: what the harness must notice."""

import os
import time

from tests.bench import body
from tests.bench.peers import celery_app
from tests.bench.peers.celery_app import app, database

PLANT = os.environ["BENCH_STYLE"].rpartition("-")[2]
SLOWER_S = 0.02
LOST = 30  # The step of this process after which a run is forgotten.
_work, _steps = body.work, 0


def work_and_lose(run: str, place: int, ms: float) -> None:
    """Forget the rest of one run."""
    global _steps
    _work(run, place, ms)
    _steps += 1
    if _steps == LOST:
        task = app.current_worker_task
        assert task is not None
        task.request.chain = None


def work_slowly(run: str, place: int, ms: float) -> None:
    """Take a little longer."""
    time.sleep(SLOWER_S)
    _work(run, place, ms)


def record_late(run: str, place: int, status: str) -> None:
    """Record all steps at the end, in one transaction."""
    if (place, status) == (5, "done"):
        database().execute("UPDATE step SET status = 'done' WHERE run = %s", (run,))


def record_softly(run: str, place: int, status: str) -> None:
    """Record every step, but do not wait until it is on the disk."""
    database().execute("SET synchronous_commit = off")
    _record(run, place, status)


_record = celery_app.record
if PLANT == "loses":
    body.work = work_and_lose
elif PLANT == "slow":
    body.work = work_slowly
elif PLANT == "late":
    celery_app.record = record_late
elif PLANT == "soft":
    celery_app.record = record_softly
