"""The quotas of an application, and the checks of them before a run or message is accepted."""

import threading
import time
from typing import Any

from app.domain.apps.refusal import Refused
from app.record.apps import applications
from app.record.apps.scope import Scope
from app.record.session import Database

DEFAULTS = {"max_runs": 10_000, "max_events": 100_000, "max_queue": 100_000}
FRESH_S = 2.0  # Other processes see a change within this time.
COUNTED_S = 1.0  # How long a count of runs is reused, plus the runs that this process has admitted since.
NEAR = 0.9  # From this share of the quota on, every new run is preceded by a count.
WINDOW_S = 60.0

_lock = threading.Lock()
_runs: dict[tuple[int, str], tuple[float, int]] = {}  # When a count expires, and the count.
_posts: dict[tuple[int, str], tuple[float, int]] = {}  # When a window ends, and the posts in it.


def quotas(db: Database, app: str) -> dict[str, Any]:
    """The quotas of an application in force: ``max_runs``, ``max_events``, ``max_queue``."""
    return db.remembered(_name(app), lambda tx: in_force(applications.one(tx, app)), for_s=FRESH_S)


def in_force(row: dict[str, Any] | None) -> dict[str, int]:
    """The quotas of a row, with defaults where none is set."""
    given = row or {}
    return {name: default if given.get(name) is None else given[name] for name, default in DEFAULTS.items()}


def forget(db: Database, app: str) -> None:
    """Drop the cached quotas of an application."""
    db.forget(_name(app))


def admit_run(db: Database, app: str) -> None:
    """Raise `Refused` (429) when the application has as many open runs as it may have."""
    most = quotas(db, app)["max_runs"]
    key, now = (id(db), app), time.monotonic()
    with _lock:
        until, known = _runs.get(key, (0.0, 0))
        # The cached count may be a second old and lacks the runs that other processes have admitted. Far from
        # the quota that does not matter; near to it every request counts anew.
        if now < until and known < most * NEAR:
            _runs[key] = until, known + 1
            return
        if until and known < most * NEAR:
            # One thread counts; meanwhile the others use the last count plus the runs admitted since.
            _runs[key] = now + COUNTED_S, known + 1
    known = db.read(lambda tx: applications.open_runs(tx, Scope.of(tx, app), most))
    if known >= most:
        raise Refused(429, "Run quota exceeded")
    with _lock:
        _runs[key] = now + COUNTED_S, known + 1


def admit_message(db: Database, app: str) -> None:
    """Raise `Refused` (429) when the application has posted as many messages this minute as it may."""
    most = quotas(db, app)["max_queue"]
    key, now = (id(db), app), time.monotonic()
    with _lock:
        ends, posts = _posts.get(key, (0.0, 0))
        if now >= ends:
            ends, posts = now + WINDOW_S, 0
        if posts >= most:
            raise Refused(429, "Queue rate limit exceeded")
        _posts[key] = ends, posts + 1


def _name(app: str) -> str:
    return f"apps.quotas.{app}"
