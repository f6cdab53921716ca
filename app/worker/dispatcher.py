"""Delivers messages of apps: one process claims many at a time, and a thread waits for each handler.

* A thread that receives a wake-up looks: it claims as many due messages as there are places. A thread that
  comes meanwhile leaves the next look to the first one, so one wake-up and one claim serve many messages. A
  look that claimed several messages delays the next one a moment, so that it finds several as well.
* One thread settles messages that need nothing but the status "delivered", many in one statement. The other
  results are settled by the thread of the delivery.
* One thread renews all leases. This process does not settle a message whose lease it has lost.
* One thread looks when the next message is due, and at least once a second, since wake-ups may be lost.
* One thread reports the numbers of this process to the metrics.
* A few connections to the database serve all threads.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from queue import Empty, SimpleQueue

import structlog
from redis.exceptions import RedisError

from app.config import Settings
from app.domain.apps.reply import Verdict
from app.domain.errors import WindlassError
from app.engine.messages.app_wake_up import AppWakeUp
from app.record.apps import messages
from app.record.apps.messages import Held
from app.record.session import Database
from app.services.apps import deliver, meter
from app.services.apps.deliver import Claimed, Failure
from app.services.apps.handlers import reach
from app.services.apps.meter import Meter
from app.webhooks.handler import Names

_log = structlog.get_logger("apps")
POLL_S = 1.0
TOGETHER_S = 0.01  # Between looks of a busy process: each costs two statements, whatever it finds.
AWAY_S = 1.0  # Before the next subscription, after the connection to Redis was lost.
MOST_SETTLING = 8
MOST_AT_ONCE = 200  # Deliveries that one statement settles.
Job = tuple[Claimed, Verdict | Failure | None]  # With a result: only to be settled; without: to be delivered.
GIVE_BACK_S = 2.0  # The part of the time to stop that is kept for giving messages back.


class Dispatcher:
    """Claims, delivers and settles the messages that one process holds."""

    def __init__(
        self,
        db: Database,
        settings: Settings,
        wake_up: AppWakeUp | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._db, self._settings, self._wake_up, self._sleep = db, settings, wake_up, sleep
        self._reach, self._names = reach(settings), Names()
        self._meter = Meter(db, meter.DELIVERIES)
        self._next_report = 0.0
        self._held: dict[Held, Claimed] = {}
        self._guard = threading.Condition()  # Protects `_held`; notified when a delivery ends.
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._delivered: SimpleQueue[Job] = SimpleQueue()
        self._threads = 0
        self._settling = threading.BoundedSemaphore(MOST_SETTLING)
        self._looking = threading.Lock()
        self._asked = self._full = self._stopped = False
        self._next_look = self._rests_until = 0.0
        self._closed = False
        self._clocks: list[threading.Thread] = []

    def start(self) -> None:
        """Start the threads that renew leases, look for due messages, settle and report."""
        self._clocks = [
            self._thread("leases", self._every(self._settings.heartbeat_ms / 1000, self._prolong)),
            self._thread("due", self._every(POLL_S / 20, self._look_in_time)),
            self._thread("delivered", self._every(0, self._settle_many)),
            self._thread("numbers", self._every(POLL_S / 4, self._report_in_time)),
        ]
        if self._wake_up is not None:
            listening = self._every(AWAY_S, partial(self._listen, self._wake_up))
            self._clocks.append(self._thread("wake-up", listening))

    def look(self) -> int:
        """Claim due messages and let other threads deliver them; returns how many were claimed."""
        claimed = 0
        # A thread that is looking looks once more: a message that came after its claim would otherwise wait
        # for the next timed look. Two looks at the same time would claim twice as many messages as there are
        # places.
        self._asked = True
        while self._asked and not self._stopped and self._looking.acquire(blocking=False):
            try:
                self._rest()
                self._asked = False
                found = self._claim()
                self._rests_until = time.monotonic() + TOGETHER_S if found > 1 else 0.0
                claimed += found
            finally:
                self._looking.release()
        return claimed

    def stop(self) -> None:
        """Claim no further messages."""
        self._stopped = True

    def drain(self, seconds: float) -> int:
        """Wait for deliveries to end, then give back the others for other processes; returns how many."""
        self.stop()
        with self._guard:
            self._guard.wait_for(lambda: not self._held, max(0.0, seconds - GIVE_BACK_S))
            left = list(self._held)
        if left:
            # Their fences grow: if a handler still answers, this process can no longer settle its message.
            self._db.write(lambda tx: messages.give_back(tx, left), patience_s=GIVE_BACK_S)
        self._guarded(lambda: self._meter.report(0))
        return len(left)

    def close(self) -> None:
        """End the threads; messages that are still held become due again when their leases end."""
        self.stop()
        self._closed = True
        for thread in self._clocks:
            thread.join()

    @property
    def under_way(self) -> int:
        """The number of deliveries in progress."""
        return len(self._held)

    def _rest(self) -> None:
        """Wait until `TOGETHER_S` after a look that claimed several; after any other look do not wait."""
        left = self._rests_until - time.monotonic()
        if left > 0:
            self._sleep(left)

    def _claim(self) -> int:
        due = deliver.due(self._db)
        pause = POLL_S if due.next_ms is None else min(due.next_ms / 1000, POLL_S)
        self._next_look = time.monotonic() + pause
        if not due.apps:
            self._full = False
            return 0
        with self._guard:
            held = Counter(one.app for one in self._held.values())
        claimed, self._full = deliver.claim(
            self._db,
            due.apps,
            places=self._settings.apps_deliveries,
            held=held,
            lease_ms=self._settings.lease_ms,
        )
        with self._guard:
            # Before any thread may end one of them, and before the next renewal of leases.
            self._held.update({one.held: one for one in claimed})
            more = len(self._held) - self._threads
        for _ in range(more):
            self._threads += 1
            self._thread(f"delivery-{self._threads}", self._work)
        for one in claimed:
            self._jobs.put((one, None))
        return len(claimed)

    def _work(self) -> None:
        while True:
            claimed, came = self._jobs.get()
            word = "lost"
            try:
                if came is None:
                    came = self._attempt(claimed)
                    if deliver.is_plain(self._db, came):
                        self._delivered.put((claimed, came))
                        continue
                word = self._settle(claimed, came)
            # The message becomes due again when its lease ends; the thread is needed for later messages.
            except Exception:
                _log.exception("delivery.crashed", message=claimed.row["id"])
            self._ended([claimed])
            if self._full or word in ("again", "failed", "dead"):
                self._guarded(self.look)

    def _attempt(self, claimed: Claimed) -> Verdict | Failure:
        begun = time.monotonic()
        came = deliver.post(claimed, self._reach, self._names, self._settings.apps_answer_s)
        self._meter.took(time.monotonic() - begun)
        return came

    def _settle(self, claimed: Claimed, came: Verdict | Failure) -> str:
        with self._settling:
            word = deliver.settle(self._db, claimed, came)
        if isinstance(came, Failure) or word == "late":
            said = {"code": came.code, "error": came.message} if isinstance(came, Failure) else {}
            row = claimed.row
            _log.warning(
                f"delivery.{word}",
                app=claimed.app,
                message=row["id"],
                queue=row["queue"],
                run_id=row["run_id"],
                attempt=row["attempts"] + 1,
                **said,
            )
        return word

    def _settle_many(self) -> None:
        """Settle all plain deliveries that have ended by now, in one statement."""
        jobs: list[Job] = []
        try:
            jobs.append(self._delivered.get(timeout=POLL_S))
            while len(jobs) < MOST_AT_ONCE:
                jobs.append(self._delivered.get_nowait())
        except Empty:
            pass
        if not jobs:
            return
        done, gone = set[int](), [claimed for claimed, _ in jobs]
        try:
            done = deliver.delivered(self._db, [claimed.held for claimed, _ in jobs])
            gone = [claimed for claimed, _ in jobs if claimed.row["id"] in done]
            # Another process has them, or their row is locked: a wait for that must not delay the others.
            for job in jobs:
                if job[0].row["id"] not in done:
                    self._jobs.put(job)
        finally:
            self._ended(gone)
        if self._full:
            self.look()

    def _ended(self, gone: Iterable[Claimed]) -> None:
        with self._guard:
            for claimed in gone:
                self._held.pop(claimed.held, None)
            self._guard.notify_all()

    def _prolong(self) -> None:
        with self._guard:
            held = list(self._held)
        if held:
            lease_ms = self._settings.lease_ms
            self._db.write(lambda tx: messages.prolong(tx, held, lease_ms), patience_s=lease_ms / 2000)

    def _listen(self, wake_up: AppWakeUp) -> None:
        try:
            with wake_up.subscribed() as received:
                while not self._closed:
                    if received(POLL_S):
                        self._guarded(self.look)
        except (RedisError, OSError) as error:
            _log.info("wake_up.unsubscribed", error=type(error).__name__)

    def _look_in_time(self) -> None:
        if time.monotonic() >= self._next_look and not self._stopped:
            self._next_look = time.monotonic() + POLL_S
            self.look()

    def _report_in_time(self) -> None:
        if time.monotonic() >= self._next_report:
            self._next_report = time.monotonic() + meter.BEAT_S
            self._meter.report(self.under_way)

    def _every(self, seconds: float, work: Callable[[], object]) -> Callable[[], None]:
        def goes_on() -> None:
            while not self._closed:
                self._guarded(work)
                if seconds:
                    time.sleep(seconds)

        return goes_on

    def _guarded(self, work: Callable[[], object]) -> None:
        try:
            work()
        except WindlassError as error:  # The database is away; due messages are found later.
            _log.warning("delivery.refused", error=error.message)
        except Exception:  # One failure must not end the thread, which repeats the work.
            _log.exception("delivery.failed")

    def _thread(self, name: str, work: Callable[[], None]) -> threading.Thread:
        made = threading.Thread(target=work, name=name, daemon=True)
        made.start()
        return made
