"""The fast path of timers: a sorted set in Redis, filled from SQL and moved by one script.

SQL rows are the truth. The set holds what is due within the next hour; it may be empty, late or lost at
any moment, because a sweep of SQL fires whatever is overdue.
"""

from importlib.resources import files

import structlog
from redis import Redis
from redis.exceptions import RedisError

from app.record.runs import timers
from app.record.session import Database

log = structlog.get_logger(__name__)
HORIZON_MS = 3_600_000
LEASE_MS = 2_000  # As long as somebody may take to fire them; one that could not be moved comes back then.
BATCH = 200


class TimerSet:
    """The sorted set of timers of one installation."""

    def __init__(self, redis: Redis, prefix: str) -> None:
        self._redis = redis
        self._key = f"{prefix}timers"
        self._move = redis.register_script(files("app.engine.messages").joinpath("timers.lua").read_text())

    def fill(self, db: Database) -> int:
        """Put every open timer of the next hour into the set; returns how many."""
        rows = db.read(lambda tx: timers.due(tx, tx.now + HORIZON_MS, 10_000))
        if rows:
            self._redis.zadd(self._key, {row["id"]: row["due_at"] for row in rows}, nx=True)
        return len(rows)

    def put(self, timer_id: str, due_at: int) -> None:
        """Put a timer that was just armed into the set."""
        self._redis.zadd(self._key, {timer_id: due_at})

    def due(self, now: int) -> list[str]:
        """Ids of timers that are due, leased to the caller; none while Redis is away."""
        try:
            return [str(one) for one in self._move(keys=[self._key], args=[now, BATCH, LEASE_MS])]
        except RedisError:
            return []
        except UnicodeDecodeError:  # Somebody else's bytes: SQL knows every timer, and they would never go.
            log.warning("timers.malformed", key=self._key)
            self._redis.delete(self._key)
            return []

    def drop(self, ids: list[str]) -> None:
        """Remove timers that were fired."""
        try:
            if ids:
                self._redis.zrem(self._key, *ids)
        except RedisError:
            return  # They are returned once more later and found to be over.
