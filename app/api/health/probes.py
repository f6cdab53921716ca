"""Whether each part works, within a second each."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import redis.exceptions

from app.domain.errors import Unavailable
from app.record import listing
from app.record.inventory import sources
from app.record.service import heartbeats
from app.record.session import Tx
from app.services import workers
from app.services.context import AppContext

BUDGET_S = 1.0
STALE_MS = 30_000  # A reconciler that was silent for longer is reported.

Part = dict[str, Any]
_threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="probe")


def parts(world: AppContext) -> dict[str, Part]:
    """The database, which readiness hangs on; Redis and the reconciler, which the API can do without."""
    database = _within_budget(lambda: _beats(world))
    return {
        "database": {"ok": database["ok"], "ms": database["ms"], **_why(database)},
        "redis": _redis(world),
        "reconciler": _reconciler(database),
        "projector": _projector(world, database),
        "workers": _workers(world, database),
    }


def _redis(world: AppContext) -> Part:
    found = _within_budget(lambda: world.redis.ping())
    return {"ok": found["ok"], "ms": found["ms"], **_why(found)}


def _reconciler(database: Part) -> Part:
    """Whether one lives, and whether a look of any of them takes so long that others may wait for it."""
    if not database["ok"]:
        return {"ok": False, "reason": "unknown while the database is away"}
    age, slow = database["value"]
    if age is None:
        return {"ok": False, "reason": "no reconciler has reported yet"}
    told: Part = {"ok": age <= STALE_MS and not slow, "ageMs": age, **({"slow": slow} if slow else {})}
    if age > STALE_MS:
        return {**told, "reason": f"silent for more than {STALE_MS // 1000} s"}
    return {**told, "reason": f"slow: {', '.join(slow)}; see its log"} if slow else told


def _projector(world: AppContext, database: Part) -> Part:
    """Whether what is watched is fresh; where nothing is, nothing can be stale. Which and why needs a key."""
    if not database["ok"]:
        return {"ok": False, "reason": "unknown while the database is away"}
    looked = _within_budget(lambda: world.db.read(sources.staleness, patience_s=BUDGET_S / 2))
    if not looked["ok"]:
        return {"ok": False, **_why(looked)}
    watched, stale, age = looked["value"]
    told: Part = {"ok": not stale, "sources": watched, "stale": stale, "ageMs": age}
    return {**told, "reason": f"{stale} of {watched} sources are stale"} if stale else told


def _workers(world: AppContext, database: Part) -> Part:
    """Whether somebody serves each queue in which something waits."""
    if not database["ok"]:
        return {"ok": False, "reason": "unknown while the database is away"}
    looked = _within_budget(lambda: world.db.read(_pools, patience_s=BUDGET_S / 2))
    if not looked["ok"]:
        return {"ok": False, **_why(looked)}
    pools, unserved = looked["value"]
    told: Part = {"ok": not unserved, "workers": pools}
    return {**told, "reason": f"nobody serves {', '.join(unserved)}"} if unserved else told


def _pools(tx: Tx) -> tuple[int, list[str]]:
    return sum(one["kind"] == workers.KIND for one in workers.working(tx)), workers.unserved(tx)


def _beats(world: AppContext) -> tuple[int | None, dict[str, int]]:
    """For how long no reconciler was heard of, and the looks of those that were that take long, in ms."""

    def ask(tx: Tx) -> tuple[int | None, dict[str, int]]:
        slow: dict[str, int] = {}
        for one in heartbeats.live(tx, "reconciler", tx.now - STALE_MS):
            for name, ms in ((one["facts"] or {}).get("slow") or {}).items():
                slow[name] = max(ms, slow.get(name, 0))
        return listing.beat_age_ms(tx, "reconciler"), slow

    return world.db.read(ask, patience_s=BUDGET_S / 2)


def _within_budget(ask: Callable[[], object]) -> Part:
    began = time.monotonic()
    try:
        value = _threads.submit(ask).result(timeout=BUDGET_S)
    # Whatever goes wrong inside a part is what the probe is there to tell.
    except Exception as error:
        return {"ok": False, "ms": _since(began), "reason": _said(error)}
    return {"ok": True, "ms": _since(began), "value": value}


def _said(error: Exception) -> str:
    """What is wrong, never in the error's own words: they may hold addresses, and anybody may ask."""
    if isinstance(error, TimeoutError | redis.exceptions.TimeoutError):
        return f"no answer within {BUDGET_S:g} s"
    if isinstance(error, ConnectionError | redis.exceptions.ConnectionError | Unavailable):
        return "cannot be reached"
    return type(error).__name__


def _why(part: Part) -> Part:
    return {"reason": part["reason"]} if "reason" in part else {}


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
