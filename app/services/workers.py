"""Heartbeats of worker pools, reconcilers and projectors, with release and queues; drains of pools.

A pool that is drained takes nothing new. The request is stored, and the pool reads it with each heartbeat. So
it also holds for a pool of that name that is started again, until the pool is resumed.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Any

from redis.exceptions import RedisError

from app.auth.keys import Principal
from app.config import Settings, release
from app.domain.clock import rfc3339
from app.domain.errors import Conflict, NotFound
from app.domain.plan import QUEUES
from app.record.runs import lost_messages
from app.record.service import heartbeats
from app.record.session import Database, Tx
from app.services import audit
from app.services.beats import keep_saying
from app.services.context import AppContext

KIND = "worker"
KINDS = (KIND, "reconciler", "projector")
BEAT_S = 10.0
DRAINED = "drained:"  # Prefix of the key under which a drain is stored; the value is the actor who asked.
Serve = Callable[[bool], object]
LIVE_MS = 35_000  # A process without a heartbeat for longer does not count as alive.


def keep_beating(
    db: Database, name: str, queues: Sequence[str], processes: int, serve: Serve | None = None
) -> None:
    """Send heartbeats for the pool of this name from a thread, for as long as this process lives.

    ``serve`` is called with False at each heartbeat while the pool is drained, and with True once when it may
    take work again.
    """
    served = True

    def say() -> None:
        nonlocal served
        may = not beat(db, name, queues, processes, drains=serve is not None)
        if serve is not None and not (may and served):
            serve(may)
            served = may

    keep_saying("worker", say, BEAT_S)


def beat(db: Database, name: str, queues: Sequence[str], processes: int, *, drains: bool = True) -> bool:
    """Store one heartbeat of the pool of this name; returns whether it is to be drained.

    ``drains``: whether it can be; a pool that delivers messages of apps cannot.
    """
    facts = {"queues": sorted(queues), "processes": processes, "release": release(), "drains": drains}

    def work(tx: Tx) -> bool:
        heartbeats.note(tx, KIND, name, facts)
        return heartbeats.fact(tx, DRAINED + name) is not None

    return db.write(work)


def working(tx: Tx) -> list[dict[str, Any]]:
    """Every pool, reconciler and projector that is alive, as answers show it."""
    found = [row for kind in KINDS for row in heartbeats.live(tx, kind, tx.now - LIVE_MS)]
    drained = heartbeats.facts_under(tx, DRAINED)
    shown = sorted(found, key=lambda row: (row["kind"], row["instance"]))
    return [_shown(row, tx.now, drained.get(row["instance"])) for row in shown]


def drain(world: AppContext, principal: Principal, name: str, reason: str | None = None) -> dict[str, object]:
    """Let a pool take nothing new from its next heartbeat on; its running steps end. Idempotent.

    Raises `NotFound` for a pool that is not alive, and `Conflict` for one that cannot be drained.
    """
    return _wish(world, principal, name, reason, drained=True)


def resume(
    world: AppContext, principal: Principal, name: str, reason: str | None = None
) -> dict[str, object]:
    """Let a pool take work again; also one that is not alive, so that no stored drain is left behind."""
    return _wish(world, principal, name, reason, drained=False)


def _wish(
    world: AppContext, principal: Principal, name: str, reason: str | None, *, drained: bool
) -> dict[str, object]:
    def work(tx: Tx) -> dict[str, object]:
        found = {row["name"]: row for row in working(tx)}.get(name)
        was = heartbeats.fact(tx, DRAINED + name) is not None
        if found is None and not was:
            raise NotFound(f"No worker called {name} has reported within the last half minute.")
        if drained and found is not None and not found["canDrain"]:
            raise Conflict(f"{name} cannot be drained by itself: end its host with `windlass worker drain`.")
        if was != drained:
            if drained:
                heartbeats.set_fact(tx, DRAINED + name, principal.actor)
            else:
                heartbeats.drop_fact(tx, DRAINED + name)
            verb = "worker.drain" if drained else "worker.resume"
            audit.note(tx, principal, verb, name, reason=reason)
        return {"name": name, "drained": drained}

    return world.db.write(work)


def unserved(tx: Tx, needed: Collection[str] = (QUEUES[0],)) -> list[str]:
    """Queues that no pool serves: of those in which work waits, and of those that are always needed."""
    served = {queue for row in working(tx) if not row["drained"] for queue in row["queues"]}
    return sorted({*needed, *lost_messages.queues_in_use(tx)} - served)


def queues(world: AppContext) -> list[dict[str, Any]]:
    """The queues of the service, those in use and those served: length, and how many pools serve each."""
    known, wanted = world.db.read(lambda tx: (working(tx), set(lost_messages.queues_in_use(tx))))
    found = [row for row in known if not row["drained"]]
    names = {*QUEUES, *wanted, *(queue for row in found for queue in row["queues"])}
    return [
        _queue(world, name, [row for row in found if name in row["queues"]], expected=name in wanted)
        for name in sorted(names)
    ]


def _queue(
    world: AppContext, name: str, pools: Sequence[dict[str, Any]], *, expected: bool
) -> dict[str, object]:
    settings: Settings = world.settings
    length: int | None = None
    with suppress(RedisError):
        length = int(world.redis.llen(f"{settings.redis_prefix}{name}"))
    processes = sum(row["processes"] or 0 for row in pools)
    return {
        "queue": name,
        "length": length,
        "workers": len(pools),
        "processes": processes,
        "expected": expected,
    }


def _shown(row: dict[str, Any], now: int, drained_by: str | None) -> dict[str, object]:
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
        "canDrain": bool(facts.get("drains")),
        "drained": drained_by is not None,
        "drainedBy": drained_by,
    }
