"""Who works: every pool of a worker host, reconciler and projector beats, with its release and its queues."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Any

from redis.exceptions import RedisError

from app.config import Settings, release
from app.domain.clock import rfc3339
from app.domain.plan import QUEUES
from app.record.runs import lost_messages
from app.record.service import heartbeats
from app.record.session import Database, Tx
from app.services.beats import keep_saying
from app.services.context import AppContext

KIND = "worker"
KINDS = (KIND, "reconciler", "projector")
BEAT_S = 10.0
LIVE_MS = 35_000  # Whoever was silent for longer does not work.


def keep_beating(db: Database, name: str, queues: Sequence[str], processes: int) -> None:
    """Say in a thread of this process, for as long as it lives, that the pool of this name serves queues."""
    keep_saying("worker", lambda: beat(db, name, queues, processes), BEAT_S)


def beat(db: Database, name: str, queues: Sequence[str], processes: int) -> None:
    """Say once that the pool of this name serves queues."""
    facts = {"queues": sorted(queues), "processes": processes, "release": release()}
    db.write(lambda tx: heartbeats.note(tx, KIND, name, facts))


def working(tx: Tx) -> list[dict[str, Any]]:
    """Every pool, reconciler and projector that was heard of lately, as answers show it."""
    found = [row for kind in KINDS for row in heartbeats.live(tx, kind, tx.now - LIVE_MS)]
    return [_shown(row, tx.now) for row in sorted(found, key=lambda row: (row["kind"], row["instance"]))]


def unserved(tx: Tx, needed: Collection[str] = (QUEUES[0],)) -> list[str]:
    """Queues that nobody serves: of those in which something waits, and of those needed anyway."""
    served = {queue for row in working(tx) for queue in row["queues"]}
    return sorted({*needed, *lost_messages.queues_in_use(tx)} - served)


def queues(world: AppContext) -> list[dict[str, Any]]:
    """Each queue of the service and each that somebody serves: its length, and how many serve it."""
    found = world.db.read(working)
    names = {*QUEUES, *(queue for row in found for queue in row["queues"])}
    return [_queue(world, name, [row for row in found if name in row["queues"]]) for name in sorted(names)]


def _queue(world: AppContext, name: str, pools: Sequence[dict[str, Any]]) -> dict[str, Any]:
    settings: Settings = world.settings
    length: int | None = None
    with suppress(RedisError):
        length = int(world.redis.llen(f"{settings.redis_prefix}{name}"))
    processes = sum(row["processes"] or 0 for row in pools)
    return {"queue": name, "length": length, "workers": len(pools), "processes": processes}


def _shown(row: dict[str, Any], now: int) -> dict[str, Any]:
    facts = row["facts"] or {}
    return {
        "name": row["instance"],
        "kind": row["kind"],
        "queues": facts.get("queues", []),
        "processes": facts.get("processes"),
        "release": facts.get("release"),
        "startedAt": rfc3339(row["started_at"]),
        "lastSeenAt": rfc3339(row["at"]),
        "silentMs": max(0, now - row["at"]),
    }
