"""The main process of a worker that delivers messages of apps: one process with threads, without forks.

Celery starts and stops it, and shows it in Flower. In between the `Dispatcher` works, which subscribes to
wake-ups itself. A reconciler of an older release sends it tasks that only make it poll.
"""

import threading
import time

import structlog
from celery.signals import worker_ready, worker_shutdown, worker_shutting_down

from app.domain.apps.words import QUEUE
from app.engine.messages.app_wake_up import AppWakeUp
from app.services import workers
from app.worker.celery_app import pool_facts, settings, world
from app.worker.dispatcher import Dispatcher

__all__ = ["QUEUE", "dispatcher"]

_log = structlog.get_logger("apps")
_lock = threading.Lock()
_made: list[Dispatcher] = []
_asked_at: list[float] = []  # When this process was asked to stop.


def dispatcher() -> Dispatcher:
    """The dispatcher of this process, started on first use."""
    with _lock:
        if not _made:
            wake_up = AppWakeUp(world().redis, settings.redis_prefix)
            _made.append(Dispatcher(world().db, settings, wake_up))
            _made[0].start()
        return _made[0]


@worker_ready.connect
def _ready(**_kw: object) -> None:
    pool = pool_facts()
    if QUEUE in pool.get("queues", ()):
        dispatcher()
        workers.keep_beating(world().db, **pool)


@worker_shutting_down.connect
def _shutting_down(**_kw: object) -> None:
    if _made:
        _asked_at.append(time.monotonic())
        _made[0].stop()


@worker_shutdown.connect
def _shutdown(**_kw: object) -> None:
    """Wait for deliveries in progress; Celery itself waits only for tasks, which here take no time."""
    if _made:
        since = time.monotonic() - _asked_at[0] if _asked_at else 0.0
        left = _made[0].drain(settings.soft_shutdown_s - since)
        _log.info("delivery.drained", given_back=left)
