"""The reconciler: looks at SQL for what should move and does not, and makes it move (T11).

Any number of instances may run, none is special, every rule is a compare-and-set. One pass, in order:
leases that ran out, steps of dead processes of this host, timers that are overdue, a broker that lost its
data, messages that are lost, locks that are free while somebody waits, deliveries and schedules that are
due, tables that have outgrown their statistics, retention. Between two passes timers have a fast path, the
sorted set in Redis, and schedules are looked at when the next of them is due.
"""

import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import structlog
from redis import Redis
from redis.exceptions import RedisError

from app.config import Settings
from app.domain.errors import WindlassError
from app.engine.messages.publisher import Ring, redispatch
from app.engine.messages.timer_cache import TimerSet
from app.engine.process_id import instance, is_gone, place
from app.engine.reconciler import resume
from app.engine.reconciler import schedules as schedule
from app.engine.transitions.journal import Hint, Letter
from app.record.inventory import gates
from app.record.runs import locks, runs, statistics, timers
from app.record.runs import lost_messages as losses
from app.record.service import deliveries, heartbeats, requests, schedules
from app.record.session import Database, Tx

log = structlog.get_logger(__name__)
TICK_S = 0.1  # Pause between two looks at the sorted set.
BATCH = 100
OVERDUE_MS = 300  # A timer that the fast path has missed by this much is fired by the sweep.
DAY_MS = 86_400_000
RETAIN_EVERY_S = 60.0


class Stop:
    """Whether to stop; a signal handler may say so at any moment.

    A `threading.Event` would not do: its lock may be held by the very code that the signal interrupts.
    """

    def __init__(self) -> None:
        self._asked = False

    def set(self) -> None:
        """Stop soon."""
        self._asked = True

    def is_set(self) -> bool:
        """Whether somebody said so."""
        return self._asked

    def wait(self, seconds: float) -> None:
        """Wait so long, unless it is time to stop already."""
        if not self._asked:
            time.sleep(seconds)


@dataclass(frozen=True, kw_only=True)
class Reconciler:
    """One instance, with what it needs."""

    settings: Settings
    db: Database
    redis: Redis
    ring: Ring
    timers: TimerSet
    instance: str
    _missing: set[str] = field(default_factory=set)  # Holders that were gone when the last pass looked.

    def run_forever(self, stopped: Stop) -> None:
        """Pass after pass until stopped; a database or a broker that is away is waited for."""
        next_pass = next_retention = next_due = 0.0
        ahead = 0.0  # The database's clock less ours, in milliseconds.
        while not stopped.is_set():
            if time.monotonic() >= next_pass:
                ahead = self._guarded("clock", self._clock_offset) or ahead
                self.one_pass()
                next_pass = time.monotonic() + self.settings.reconcile_ms / 1000
            if time.monotonic() >= next_retention:
                self._guarded("retention", self.retain)
                next_retention = time.monotonic() + RETAIN_EVERY_S
            moment = round(time.monotonic() * 1000 + ahead)
            self.fire(self.timers.due(moment))
            if moment >= next_due:
                next_due = (
                    self._guarded("schedules", self.due_schedules) or moment + self.settings.reconcile_ms
                )
            stopped.wait(TICK_S)
        self._guarded("orphans", lambda: self.hand_back(self._orphans(), counted=False))

    def one_pass(self) -> None:
        """One look at everything."""
        began = time.monotonic()
        for name, look in (
            ("leases", self.leases),
            ("orphans", self.orphans),
            ("timers", self.overdue_timers),
            ("epoch", self.epoch),
            ("messages", self.lost_messages),
            ("locks", self.free_locks),
            ("deliveries", self.due_deliveries),
            ("statistics", self.statistics),
        ):
            self._guarded(name, look)
        took = round((time.monotonic() - began) * 1000)
        self._guarded("beat", lambda: self._beat(took))

    def leases(self) -> None:
        """Steps whose worker fell silent: their outcome is unknown, and they are rung for again."""
        for one in self.db.read(lambda tx: losses.expired_leases(tx, BATCH)):
            log.warning("lease.expired", run_id=one["run_id"], step=one["key"], fence=one["fence"])
            self._lose(one, silent=True)

    def orphans(self) -> None:
        """Steps whose process on this host has died: nobody has to wait for their leases.

        A process must be missing in two passes: until then a host that stops in order has handed its steps
        back, and the error callback has had its turn.
        """
        found = self._orphans()
        self.hand_back([one for one in found if one["holder"] in self._missing])
        self._missing.clear()
        self._missing.update(one["holder"] for one in found)

    def hand_back(self, orphans: Iterable[dict[str, Any]], *, counted: bool = True) -> None:
        """Free what dead processes of this host held; not counted as a loss when the host stops in order."""
        for one in orphans:
            log.warning("worker.gone", run_id=one["run_id"], step=one["key"], holder=one["holder"])
            self._lose(one, counted=counted)

    def overdue_timers(self) -> None:
        """Timers that the fast path has missed."""
        self.fire([row["id"] for row in self.db.read(lambda tx: timers.due(tx, tx.now - OVERDUE_MS, BATCH))])

    def fire(self, ids: Iterable[str]) -> None:
        """Fire timers in SQL, then take them off the fast path."""
        over = []
        for timer_id in ids:
            fired = self._each(resume.fire_timer, timer_id)
            if fired:
                over.append(timer_id)
        self.timers.drop(over)

    def epoch(self) -> None:
        """A broker whose epoch is missing or different has lost its data: ring for everything at once."""
        key = f"{self.settings.redis_prefix}epoch"
        try:
            fresh = secrets.token_hex(8)
            self.redis.set(key, fresh, nx=True)
            seen = str(self.redis.get(key))
        except RedisError:
            return
        known = self.db.read(lambda tx: heartbeats.fact(tx, "broker_epoch"))
        if known is not None and known["value"] == seen:
            return
        log.warning("broker.emptied", epoch=seen)
        moment = self.db.read(lambda tx: tx.now)
        self.timers.fill(self.db)
        tried: set[tuple[Any, ...]] = set()  # What cannot be rung for stays expected; it is tried once.
        while lost := [one for one in self._expected_before(moment) if tuple(one.values()) not in tried]:
            self._ring_again(lost)
            tried.update(tuple(one.values()) for one in lost)
        self.db.write(lambda tx: heartbeats.set_fact(tx, "broker_epoch", seen))

    def lost_messages(self) -> None:
        """Messages that SQL expects and that no queue holds."""
        queues = self.db.read(losses.queues_in_use)
        try:
            empty = [name for name in queues if self.redis.llen(f"{self.settings.redis_prefix}{name}") == 0]
        except RedisError:
            return
        lost = self.db.read(
            lambda tx: losses.expected(
                tx,
                lost_ms=self.settings.lost_after_ms,
                cap_ms=self.settings.lost_cap_ms,
                empty=empty,
                limit=BATCH,
            )
        )
        self._ring_again(lost)

    def free_locks(self) -> None:
        """Locks that nobody holds although somebody waits."""
        for resource in self.db.read(lambda tx: locks.free_with_waiters(tx, BATCH)):
            self._each(resume.grant_waiting, resource)

    def due_deliveries(self) -> None:
        """Webhook deliveries whose time has come, or whose worker was lost."""
        due = self.db.write(lambda tx: deliveries.ring_due(tx, BATCH))
        self.ring([Letter(delivery_id=one["id"], fence=one["fence"]) for one in due])

    def due_schedules(self) -> int:
        """What schedules are due for; returns when to look again, in milliseconds of the database's clock."""
        now, due = self.db.read(lambda tx: (tx.now, schedules.due(tx, BATCH)))
        for schedule_id in due:
            self._each(schedule.fire, schedule_id)
        if len(due) >= BATCH:
            return now
        coming = self.db.read(lambda tx: schedules.next_due(tx, now))
        latest = now + self.settings.reconcile_ms
        return latest if coming is None else min(coming, latest)

    def statistics(self) -> None:
        """Tables that have outgrown what the database's planner knows of them."""
        statistics.refresh(self.db)

    def retain(self) -> None:
        """Delete what is older than the retention, in small batches."""
        days = self.settings.retention_days
        while self.db.write(lambda tx: runs.delete_ended(tx, tx.now - days * DAY_MS, BATCH)) == BATCH:
            continue
        self.db.write(lambda tx: gates.forget_before(tx, tx.now - days * DAY_MS))
        self.db.write(lambda tx: schedules.forget_before(tx, tx.now - days * DAY_MS))
        self.db.write(lambda tx: requests.forget_before(tx, tx.now - DAY_MS))
        self.db.write(lambda tx: heartbeats.forget(tx, tx.now - DAY_MS))

    def _orphans(self) -> list[dict[str, Any]]:
        return [one for one in self.db.read(lambda tx: losses.held_at(tx, place())) if is_gone(one["holder"])]

    def _lose(self, one: dict[str, Any], **how: bool) -> None:
        limit = self.settings.poison_limit
        which = (one["run_id"], one["phase"], one["key"], one["fence"])
        self._each(resume.lose, *which, poison_limit=limit, **how)

    def _expected_before(self, moment: int) -> list[dict[str, Any]]:
        return self.db.read(lambda tx: losses.expected_since_before(tx, moment, BATCH))

    def _ring_again(self, lost: Iterable[dict[str, Any]]) -> None:
        for one in lost:
            log.warning("message.lost", run_id=one["run_id"], step=one.get("key"))
            self._each(redispatch, one["run_id"], one.get("phase"), one.get("key"), since=one["since"])

    def _each(self, work: Callable[..., list[Hint] | None], *what: Any, **how: Any) -> bool:
        """Do one thing in its own transaction and ring for it; tells whether it is over."""
        hints: list[Hint] | None = None
        try:
            hints = self.db.write(lambda tx: work(tx, *what, **how))
        except WindlassError as error:
            log.warning("reconcile.refused", error=error.message)
            return False
        except Exception:  # One run that cannot be moved must not keep the others from moving.
            log.exception("reconcile.failed")
            return False
        self.ring(hints or ())
        return hints is not None

    def _guarded(self, name: str, look: Callable[[], Any]) -> Any:
        try:
            return look()
        except WindlassError as error:  # The database is away, or has the schema of another release.
            log.warning("reconcile.refused", look=name, error=error.message)
            return None
        except Exception:  # One look that fails must not keep the others from looking.
            log.exception("reconcile.failed", look=name)
            return None

    def _clock_offset(self) -> float:
        return self.db.read(lambda tx: tx.now) - time.monotonic() * 1000

    def _beat(self, took_ms: int) -> None:
        def note(tx: Tx) -> None:
            facts = {"lastPassMs": took_ms, "oldestExpected": losses.oldest_expected(tx)}
            heartbeats.note(tx, "reconciler", self.instance, facts)

        self.db.write(note)


def reconciler(world: Any) -> Reconciler:
    """The reconciler of this process; ``world`` is an `app.wiring.AppContext`."""
    settings: Settings = world.settings
    return Reconciler(
        settings=settings,
        db=world.db,
        redis=world.redis,
        ring=world.ring,
        timers=TimerSet(world.redis, settings.redis_prefix),
        instance=instance(),
    )


def run_forever(world: Any, stopped: Stop | None = None) -> None:
    """Reconcile until stopped; see `Reconciler`."""
    reconciler(world).run_forever(stopped or Stop())
