"""Which installation a database and a Redis belong to: a worker must not mix those of two."""

import secrets

from redis import Redis

from app.record.service import heartbeats
from app.record.session import Database


def own(db: Database) -> str:
    """The id of the installation that this database keeps; made by the first process that asks."""
    known = db.read(lambda tx: heartbeats.fact(tx, "installation"))
    if known is not None:
        return str(known["value"])
    return db.write(lambda tx: heartbeats.first_fact(tx, "installation", secrets.token_hex(8)))


def serves(mine: str, redis: Redis, prefix: str) -> bool:
    """Whether this Redis serves this installation; one that serves none yet does so from now on.

    Raises `RedisError` when Redis cannot be reached.
    """
    key = f"{prefix}installation"
    redis.set(key, mine, nx=True)
    return str(redis.get(key)) == mine
