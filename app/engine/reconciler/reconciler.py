"""The reconciler: finds runs in SQL that should proceed but do not, and lets them proceed (T11).

The urgent thread, about once a second:

1. Leases that have ended: the worker is lost, the outcome unknown; the step is claimed again or fails (T3).
2. Steps whose process on this host is gone, in two passes one after the other: their leases need not end
   first.
3. Timers that the fast path has missed (T8). Between passes it fires timers from the sorted set in Redis, ten
   times a second, and schedules when the next of them is due (T12).

The patient thread, about once a second:

4. The epoch in Redis is missing or different: Redis lost its data. Wake each queue in use, refill the timers.
   Before that, keys that should hold a queue, timers or the epoch and have another type are deleted.
5. Messages that are expected for too long and that no queue holds: publish again (T10).
6. Locks that nobody holds although runs wait for them: grant (T13).
7. Webhook deliveries that are due, statistics of fast-growing tables, data older than the retention.

Any number of instances may run. Each rule reads candidates without a lock, then takes one row at a time under
its lock and checks again, so two instances never do the same thing twice. No rule waits for long: a locked
row is put off after 0.2 s, and a rule begins no further row after two seconds. A rule that fails is logged;
the others still run.
"""

import secrets
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import structlog
from redis import Redis
from redis.exceptions import RedisError

from app.config import Settings, release
from app.domain.errors import WindlassError
from app.engine import installation
from app.engine.messages.publisher import Publisher, redispatch
from app.engine.messages.timer_cache import TimerSet
from app.engine.process_id import instance, is_gone, place
from app.engine.reconciler import resume
from app.engine.reconciler import schedules as schedule
from app.engine.reconciler.mover import BATCH, Mover
from app.engine.reconciler.watch import Watch
from app.engine.transitions.journal import Message
from app.record.apps import retention, streams
from app.record.batches import retention as batches
from app.record.inventory import gates
from app.record.runs import leases, locks, runs, statistics, timers
from app.record.runs import lost_messages as losses
from app.record.service import audit_log, deliveries, heartbeats, requests, schedules, sessions
from app.record.session import Database, Tx
from chains.messages import DeliveryMessage, WakeUp

log = structlog.get_logger(__name__)
TICK_S = 0.1  # Pause between two reads of the sorted set of timers.
OVERDUE_MS = 300  # A timer that the fast path has missed by this much is fired by the sweep.
DAY_MS = 86_400_000
HEALTH_CHECK_MS = 600_000  # After this the answer to a health check of an app is deleted.
RETAIN_EVERY_S = 60.0
STRAYS_EVERY_S = 30.0
LEAVE_S = 3.0  # What the second thread gets to end when the process is to stop.


class Stop:
    """Whether to stop; a signal handler may set it at any moment.

    A `threading.Event` would not do: its lock may be held by the very code that the signal interrupts.
    """

    def __init__(self) -> None:
        self._asked = False

    def set(self) -> None:
        """Stop soon."""
        self._asked = True

    def is_set(self) -> bool:
        """Whether a stop was requested."""
        return self._asked

    def wait(self, seconds: float) -> None:
        """Sleep, unless a stop was requested."""
        if not self._asked:
            time.sleep(seconds)


@dataclass(frozen=True, kw_only=True)
class Reconciler:
    """One instance, with what it needs."""

    settings: Settings
    db: Database
    redis: Redis
    publish: Publisher
    timers: TimerSet
    instance: str
    watch: Watch = field(default_factory=Watch)
    _said: set[str] = field(default_factory=set)  # Warnings that were logged and are not repeated.
    _missing: set[str] = field(default_factory=set)  # Holders that were gone when the last pass looked.
    _places: dict[str, int] = field(default_factory=dict)  # Where rules go on that see a part at a time.

    def run_forever(self, stopped: Stop) -> None:
        """Pass after pass until stopped; without a database or a broker it keeps trying."""
        patient = threading.Thread(target=self._look_at_the_rest, args=(stopped,), name="rest", daemon=True)
        patient.start()
        next_pass = next_due = 0.0
        ahead = 0.0  # The database's clock less ours, in milliseconds.
        while not stopped.is_set():
            if time.monotonic() >= next_pass:
                # Due times are the database's. Our monotonic clock is compared with it once a pass: the wall
                # clock of a host may be wrong, or be set while we run (chaos: scenario "late clocks").
                ahead = self._guarded("clock", self._clock_offset) or ahead
                self.urgent_pass()
                next_pass = time.monotonic() + self.settings.reconcile_ms / 1000
            moment = round(time.monotonic() * 1000 + ahead)
            self._guarded("alarms", partial(self.alarms, moment))
            if moment >= next_due:
                next_due = (
                    self._guarded("schedules", self.due_schedules) or moment + self.settings.reconcile_ms
                )
            stopped.wait(TICK_S)
        patient.join(LEAVE_S)
        # The workers of this host were stopped in order before: what they had to leave is given back without
        # counting a loss, or three deployments would fail a healthy step (I13).
        self._guarded("orphans", lambda: self.hand_back(self._orphans(), counted=False))

    def one_pass(self) -> None:
        """One pass of both threads' rules."""
        self.urgent_pass()
        self.patient_pass()

    def urgent_pass(self) -> None:
        """One pass of the urgent rules."""
        began = time.monotonic()
        for name, look in (
            ("leases", self.leases),
            ("orphans", self.orphans),
            ("timers", self.overdue_timers),
        ):
            self._guarded(name, look)
        took = round((time.monotonic() - began) * 1000)
        # Last, so that the heartbeat has the duration of the pass, and grows old while a pass hangs.
        self._guarded("heartbeat", lambda: self._heartbeat(took))

    def patient_pass(self) -> None:
        """One pass of the patient rules."""
        for name, look in (
            ("keys", self.foreign_keys),
            ("epoch", self.epoch),
            ("messages", self.lost_messages),
            ("locks", self.free_locks),
            ("deliveries", self.due_deliveries),
            ("statistics", self.statistics),
        ):
            self._guarded(name, look)

    def _look_at_the_rest(self, stopped: Stop) -> None:
        next_retention = next_strays = 0.0
        while not stopped.is_set():
            self.patient_pass()
            if time.monotonic() >= next_strays:
                self._guarded("strays", self.strays)
                next_strays = time.monotonic() + STRAYS_EVERY_S
            if time.monotonic() >= next_retention:
                more = self._guarded("retention", self.retain)
                next_retention = 0.0 if more else time.monotonic() + RETAIN_EVERY_S
            next_pass = time.monotonic() + self.settings.reconcile_ms / 1000
            while not stopped.is_set() and time.monotonic() < next_pass:
                stopped.wait(TICK_S)

    def leases(self) -> None:
        """Steps whose lease has ended: the outcome is unknown, and a new attempt is published."""
        self._lose(
            self.db.read(lambda tx: losses.expired_leases(tx, self._mover.batch)),
            "lease.expired",
            silent=True,
        )

    def strays(self) -> None:
        """The same for running steps without a row of `lease`: workers of an earlier release write none."""
        found = self.db.read(lambda tx: losses.strays(tx, self._mover.batch))
        self._lose(found, "lease.expired", silent=True)

    def orphans(self) -> None:
        """Steps whose process on this host has died: their leases need not end first.

        A process must be missing in two passes. A host that stops in order returns its steps in between, and
        the error callback reports its process; neither must be counted as a lost worker twice.
        """
        found = self._orphans()
        self.hand_back([one for one in found if one["holder"] in self._missing])
        self._missing.clear()
        self._missing.update(one["holder"] for one in found)

    def hand_back(self, orphans: Iterable[dict[str, Any]], *, counted: bool = True) -> None:
        """Return the steps of dead processes; not counted as a loss when the host stops in order."""
        self._lose(orphans, "worker.gone", counted=counted)

    def overdue_timers(self) -> None:
        """Timers that the fast path has missed."""
        overdue = self.db.read(lambda tx: timers.due(tx, tx.now - OVERDUE_MS, self._mover.batch))
        self.fire([row["id"] for row in overdue])

    def fire(self, ids: Iterable[str]) -> None:
        """Fire timers in SQL, then remove them from the fast path: a crash in between repeats them."""
        over = self._mover.move(resume.fire_timer, [(timer_id,) for timer_id in ids])
        self.timers.drop([timer_id for (timer_id,) in over])

    def alarms(self, moment: int) -> None:
        """Timers that are due, as the fast path knows them; most were fired by whoever armed them."""
        ids = self.timers.due(moment)
        if not ids:
            return
        left = self.db.read(lambda tx: timers.still_open(tx, ids))
        self.timers.drop([timer_id for timer_id in ids if timer_id not in left])
        self.fire([timer_id for timer_id in ids if timer_id in left])

    def foreign_keys(self) -> None:
        """Delete our keys that hold a value of another type: no message could be taken from such a queue.

        Nothing is lost with them: whatever Redis holds can be made again from SQL.
        """
        queues = self.db.read(losses.queues_in_use)
        prefix = self.settings.redis_prefix
        types = {f"{prefix}epoch": "string", f"{prefix}timers": "zset"}
        for queue in queues:
            types |= {f"{prefix}{queue}": "list", f"{prefix}_kombu.binding.{queue}": "set"}
        try:
            found = self.redis.pipeline(transaction=False)
            for key in types:
                found.type(key)
            kinds = zip(types.items(), found.execute(), strict=True)
            wrong = [key for (key, kind), seen in kinds if seen not in (kind, "none")]
            if not wrong:
                return
            self.redis.delete(*wrong)
        except RedisError:
            return
        log.warning("broker.malformed", keys=wrong)
        self.publish(WakeUp(queue=queue) for queue in queues)

    def epoch(self) -> None:
        """A broker whose epoch is missing or different has lost its data: wake each queue with one message.

        Its consumer claims the work that waits there and wakes other workers. Steps that need a message of
        their own are found by `lost_messages`.
        """
        key = f"{self.settings.redis_prefix}epoch"
        try:
            fresh = secrets.token_hex(8)
            # Then read, not assumed: of two reconcilers that find it missing one sets it, and both use that
            # one.
            self.redis.set(key, fresh, nx=True)
            seen = str(self.redis.get(key))
            self._own_broker()
        except RedisError:
            return
        known = self.db.read(lambda tx: heartbeats.fact(tx, "broker_epoch"))
        if known is not None and known["value"] == seen:
            return
        queues = self.db.read(losses.queues_in_use)
        log.warning("broker.emptied", epoch=seen, queues=queues)
        self.publish([WakeUp(queue=queue) for queue in queues])
        self.timers.fill(self.db)
        # Last: a reconciler that dies before this line is followed by one that does all of it again.
        self.db.write(lambda tx: heartbeats.set_fact(tx, "broker_epoch", seen), patience_s=0)

    def lost_messages(self) -> None:
        """Messages that SQL expects and that no queue holds.

        A long queue is not a loss. Only an empty queue proves that an expected message is gone; a queue that
        never empties is covered by the cap.
        """
        queues = self.db.read(losses.queues_in_use)
        try:
            empty = [name for name in queues if self.redis.llen(f"{self.settings.redis_prefix}{name}") == 0]
        except RedisError:
            return
        # A worker may just have taken the message and not claimed yet. Then it is published twice, and the
        # older generation drops itself: that costs a message and never a second attempt.
        lost = self.db.read(
            lambda tx: losses.expected(
                tx,
                lost_ms=self.settings.lost_after_ms,
                cap_ms=self.settings.lost_cap_ms,
                empty=empty,
                limit=self._mover.batch,
            )
        )
        self._publish_again(lost)

    def free_locks(self) -> None:
        """Locks that nobody holds although runs wait: the run that released them could not grant them."""
        free = self.db.read(lambda tx: locks.free_with_waiters(tx, self._mover.batch))
        self._mover.move(resume.grant_waiting, [(resource,) for resource in free])

    def due_deliveries(self) -> None:
        """Webhook deliveries whose time has come, or whose worker was lost."""
        # The transaction that finds them says when they are due again: two reconcilers, or two passes while a
        # message waits, do not publish the same delivery.
        due = self.db.write(lambda tx: deliveries.due_again(tx, BATCH), patience_s=0)
        self.publish([DeliveryMessage(delivery_id=one["id"], fence=one["fence"]) for one in due])

    def due_schedules(self) -> int:
        """Fire due schedules; returns when the next one is due, in milliseconds of the database's clock."""
        most = self._mover.batch
        now, due = self.db.read(lambda tx: (tx.now, schedules.due(tx, most)))
        self._mover.move(schedule.fire, [(schedule_id,) for schedule_id in due])
        if len(due) >= most:
            return now
        coming = self.db.read(lambda tx: schedules.next_due(tx, now))
        latest = now + self.settings.reconcile_ms
        return latest if coming is None else min(coming, latest)

    def statistics(self) -> None:
        """Analyse tables that have grown too much since the database's planner saw them."""
        statistics.refresh(self.db)

    def retain(self) -> bool:
        """Delete what is older than the retention, as much as the time allows; whether more is left."""
        old = self.settings.retention_days * DAY_MS
        most = self._mover.batch
        ended = self.db.read(lambda tx: runs.ended_before(tx, tx.now - old, most))
        # Each in a transaction of its own
        # (test_an_old_run_that_another_client_locks_does_not_keep_the_others_from_being_deleted).
        self._mover.move(_forget_run, [(run_id,) for run_id in ended])
        of_apps = self.db.read(lambda tx: retention.ended_before(tx, tx.now - old, most))
        self._mover.move(_forget_app_run, of_apps)
        rules: dict[str, Callable[[Tx], int]] = {
            "leases": leases.forget_idle,
            "intents": lambda tx: gates.forget_before(tx, tx.now - old),
            "occurrences": lambda tx: schedules.forget_before(tx, tx.now - old),
            "requests": lambda tx: requests.forget_before(tx, tx.now - DAY_MS),
            "beats": lambda tx: heartbeats.forget(tx, tx.now - DAY_MS),
            "sessions": lambda tx: sessions.forget_before(tx, tx.now - DAY_MS),
            "deliveries": lambda tx: deliveries.forget_before(tx, tx.now - old),
            "app messages": partial(self._forget_app_messages, old),
            "health checks": lambda tx: streams.forget_health_checks(tx, tx.now - HEALTH_CHECK_MS),
        }
        if self.settings.audit_days:
            kept = self.settings.audit_days * DAY_MS
            rules["audit"] = lambda tx: audit_log.forget_before(tx, tx.now - kept)
        counts = [
            self._guarded(name, partial(self.db.write, rule, patience_s=0)) for name, rule in rules.items()
        ]
        return max(len(ended), len(of_apps)) >= most or any(counts)

    def _forget_app_messages(self, old: int, tx: Tx) -> int:
        after = self._places.get("app messages", 0)
        gone, self._places["app messages"] = retention.forget_messages(tx, tx.now - old, after)
        return gone

    @cached_property
    def _mover(self) -> Mover:
        return Mover(self.db, self.publish)

    def _orphans(self) -> list[dict[str, Any]]:
        # Only of this place: whether a process of another host lives cannot be told from here, so its steps
        # wait for their leases to end.
        gone = [one for one in self.db.read(lambda tx: leases.holders_at(tx, place())) if is_gone(one)]
        return self.db.read(lambda tx: losses.held_by(tx, gone)) if gone else []

    def _lose(self, found: Iterable[dict[str, Any]], word: str, **how: bool) -> None:
        which = []
        for one in found:
            log.warning(word, run_id=one["run_id"], step=one["key"], fence=one["fence"], holder=one["holder"])
            which.append((one["run_id"], one["phase"], one["key"], one["fence"]))
        self._mover.move(resume.lose, which, poison_limit=self.settings.poison_limit, **how)

    def _publish_again(self, lost: Iterable[dict[str, Any]]) -> None:
        which = []
        for one in lost:
            log.warning("message.lost", run_id=one["run_id"], step=one.get("key"))
            which.append((one["run_id"], one.get("phase"), one.get("key"), one["since"]))
        self._mover.move(redispatch, which)

    def _guarded(self, name: str, rule: Callable[[], Any]) -> Any:
        try:
            with self.watch.timed(name):
                return rule()
        except WindlassError as error:  # The database is away, or has the schema of another release.
            log.warning("reconcile.refused", rule=name, error=error.message)
        except Exception:  # A rule that fails must not stop the others.
            log.exception("reconcile.failed", rule=name)
        return None

    def _clock_offset(self) -> float:
        return self.db.read(lambda tx: tx.now) - time.monotonic() * 1000

    def _own_broker(self) -> None:
        serves = installation.serves(self._installation, self.redis, self.settings.redis_prefix)
        if not serves and "shared" not in self._said:
            self._said.add("shared")
            log.error("broker.shared", reason="this Redis serves another database under the same prefix")

    @cached_property
    def _installation(self) -> str:
        return installation.own(self.db)

    def _heartbeat(self, took_ms: int) -> None:
        def note(tx: Tx) -> None:
            oldest = losses.oldest_expected(tx)
            pace = {"lastPassMs": took_ms, "oldestExpected": oldest, "slow": self.watch.slow()}
            facts = {**pace, "release": release()}
            heartbeats.note(tx, "reconciler", self.instance, facts)

        self.db.write(note, patience_s=0)  # As with every rule, the next pass tries again.


def _forget_run(tx: Tx, run_id: str) -> list[Message]:
    batches.forget(tx, run_id)
    return []


def _forget_app_run(tx: Tx, app: str, run_id: str) -> list[Message]:
    retention.forget_run(tx, app, run_id)
    return []


def reconciler(world: Any) -> Reconciler:
    """The reconciler of this process; ``world`` is an `app.wiring.AppContext`."""
    settings: Settings = world.settings
    return Reconciler(
        settings=settings,
        db=world.db,
        redis=world.redis,
        publish=world.publish,
        timers=TimerSet(world.redis, settings.redis_prefix),
        instance=instance(),
    )


def run_forever(world: Any, stopped: Stop | None = None) -> None:
    """Reconcile until stopped; see `Reconciler`."""
    reconciler(world).run_forever(stopped or Stop())
