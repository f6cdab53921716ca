"""The reconciler on both stacks: it lets runs proceed that SQL expects to and no message carries."""

from collections import deque
from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import pytest
from redis import Redis

from app.config import Settings
from app.domain.errors import StepError
from app.engine.messages.publisher import redispatch
from app.engine.messages.timer_cache import TimerSet
from app.engine.reconciler.reconciler import Reconciler, Stop
from app.record.runs import lost_messages, runs, timers
from app.record.service import heartbeats
from app.record.session import Database, Tx
from chains.messages import WakeUp
from tests.conftest import Backend
from tests.integration.engine.test_schedules import plant, row_of, runs_of
from tests.support import probes
from tests.support.driver import Driver
from tests.support.servers import until

PREFIX = "wl:"


class Strict(Reconciler):
    """A reconciler whose every failure is the test's."""

    def _guarded(self, name: str, rule: Callable[[], Any]) -> Any:
        return rule()


@pytest.fixture
def driver(backend: Backend) -> Iterator[Driver]:
    """The engine on this stack's database."""
    db = Database(backend.database_url)
    yield Driver(db)
    db.dispose()


@pytest.fixture
def redis(backend: Backend) -> Iterator[Redis]:
    """This stack's Redis or Valkey, empty."""
    with Redis.from_url(backend.redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture
def reconcile(driver: Driver, redis: Redis) -> Callable[..., None]:
    """One pass with these settings; the first pass makes the broker known."""

    def one_pass(**settings: int) -> None:
        made = Settings(**{"lost_after_ms": 60_000, "lost_cap_ms": 60_000, **settings})  # type: ignore[arg-type]
        due = TimerSet(redis, PREFIX)
        Strict(
            settings=made, db=driver.db, redis=redis, publish=driver.publish, timers=due, instance="test"
        ).one_pass()

    one_pass()
    return one_pass


def lose_messages(driver: Driver) -> None:
    """Published messages never arrive."""
    driver.waiting.clear()
    driver.wake_ups.clear()


def test_a_message_that_an_empty_queue_does_not_hold_is_published_again(
    driver: Driver, reconcile: Callable[..., None]
) -> None:
    run_id = driver.start("probe.line")
    lose_messages(driver)

    reconcile(lost_after_ms=-1)

    assert driver.finish(run_id) == "completed"


def test_a_fresh_message_is_not_lost(driver: Driver, reconcile: Callable[..., None]) -> None:
    driver.start("probe.line")
    lose_messages(driver)

    reconcile()

    assert not driver.waiting


def test_a_long_queue_is_not_taken_for_a_loss(
    driver: Driver, redis: Redis, reconcile: Callable[..., None]
) -> None:
    driver.start("probe.line")
    lose_messages(driver)
    redis.lpush(f"{PREFIX}default", "another client's message")

    reconcile(lost_after_ms=-1)

    assert not driver.waiting


def test_however_long_the_queue_there_is_a_cap(
    driver: Driver, redis: Redis, reconcile: Callable[..., None]
) -> None:
    run_id = driver.start("probe.line")
    lose_messages(driver)
    redis.lpush(f"{PREFIX}default", "another client's message")

    reconcile(lost_cap_ms=-1)

    assert driver.finish(run_id) == "completed"


@pytest.mark.parametrize("type_", ["probe.line", "probe.map"])
def test_two_that_saw_the_same_loss_publish_once(driver: Driver, type_: str) -> None:
    driver.start(type_, {"items": [1]} if type_ == "probe.map" else None)
    driver.deliver()
    lost = driver.db.read(lambda tx: lost_messages.expected_since_before(tx, tx.now + 60_000, 9))
    seen = lost[-1]
    moment = seen["since"]
    driver.db.write(lambda tx: _expected_earlier(tx, seen))

    def publish(since: int) -> int:
        where = (seen["run_id"], seen.get("phase"), seen.get("key"))
        return len(driver.db.write(lambda tx: redispatch(tx, *where, since)))

    assert [publish(moment), publish(1), publish(1)] == [0, 1, 0]


def _expected_earlier(tx: Tx, seen: dict[str, Any]) -> None:
    if seen.get("key"):
        runs.change_step(tx, seen["run_id"], seen["phase"], seen["key"], {"expect_since": 1})
    else:
        runs.change_run(tx, seen["run_id"], {"expect_since": 1, "expect_from": 1})


def _expected_for_3_s(tx: Tx, run_id: str, attempts: int) -> None:
    since = {"expect_since": tx.now - 3_000, "expect_from": tx.now - 3_000}
    runs.change_run(tx, run_id, {**since, "dispatch_attempts": attempts})  # type: ignore[typeddict-item]


@pytest.mark.parametrize(("attempts", "lost"), [(0, True), (1, False)])
def test_each_further_message_for_a_run_waits_longer(driver: Driver, attempts: int, lost: bool) -> None:
    run_id = driver.start("probe.line")
    driver.db.write(lambda tx: _expected_for_3_s(tx, run_id, attempts))
    found = driver.db.read(
        lambda tx: lost_messages.expected(tx, lost_ms=2_000, cap_ms=30_000, empty=["default"], limit=9)
    )
    assert bool(found) == lost


def test_the_lost_message_of_a_member_is_published_again(
    driver: Driver, reconcile: Callable[..., None]
) -> None:
    run_id = driver.start("probe.map", {"items": [1, 2, 3]})
    driver.deliver()
    lose_messages(driver)

    reconcile(lost_after_ms=-1)

    assert driver.finish(run_id) == "completed"
    assert driver.run(run_id)["output"]["reports"] == [{"report": f"seen {n}"} for n in (1, 2, 3)]


def test_an_emptied_broker_costs_one_message_a_queue_whatever_waits_there(
    driver: Driver, redis: Redis, reconcile: Callable[..., None]
) -> None:
    runs = [driver.start("probe.line") for _ in range(3)]
    lose_messages(driver)
    redis.flushall()

    reconcile()

    assert (driver.wake_ups, driver.waiting) == ([WakeUp(queue="default")], deque())
    driver.follow_wake_ups()
    assert [driver.finish(run_id) for run_id in runs] == ["completed"] * 3


@pytest.mark.parametrize("key", ["default", "_kombu.binding.default", "timers", "epoch"])
def test_a_key_of_ours_that_holds_something_else_is_put_right(
    driver: Driver, redis: Redis, reconcile: Callable[..., None], key: str
) -> None:
    reconcile()
    run_id = driver.start("probe.line")
    lose_messages(driver)
    redis.delete(f"{PREFIX}{key}")
    redis.hset(f"{PREFIX}{key}", "not", "ours")

    reconcile()

    assert redis.type(f"{PREFIX}{key}") != "hash"
    assert WakeUp(queue="default") in driver.wake_ups
    driver.follow_wake_ups()
    assert driver.finish(run_id) == "completed"


def test_a_broker_that_is_known_is_not_taken_for_an_emptied_one(
    driver: Driver, reconcile: Callable[..., None]
) -> None:
    driver.start("probe.line")
    lose_messages(driver)

    reconcile()
    reconcile()

    assert not driver.waiting


def test_a_timer_that_redis_has_forgotten_fires_by_the_sweep(
    driver: Driver, redis: Redis, reconcile: Callable[..., None]
) -> None:
    probes.BEFORE["first"] = probes.fails(1, StepError)
    run_id = driver.start("probe.line")
    driver.drain()
    redis.flushall()
    (armed,) = driver.db.read(lambda tx: timers.open_of(tx, run_id))
    driver.make_due(armed)

    reconcile()

    assert driver.finish(run_id) == "completed"


def test_a_schedule_is_met_in_time_however_long_passes_are_apart(driver: Driver, redis: Redis) -> None:
    schedule_id = plant(driver, next_due_at=driver.db.read(lambda tx: tx.now) + 400)
    one = Strict(
        settings=Settings(reconcile_ms=60_000),
        db=driver.db,
        redis=redis,
        publish=driver.publish,
        timers=TimerSet(redis, PREFIX),
        instance="test",
    )
    stop = Stop()
    thread = Thread(target=one.run_forever, args=(stop,), daemon=True)
    thread.start()
    until(lambda: runs_of(driver, schedule_id), 20, "the schedule was met")
    stop.set()
    thread.join()
    (run_id,) = runs_of(driver, schedule_id)
    due_at = row_of(driver, schedule_id)["last"]["dueAt"]
    assert 0 <= driver.run(run_id)["created_at"] - due_at < one.settings.reconcile_ms / 2


def test_a_pass_says_that_the_reconciler_lives(driver: Driver, reconcile: Callable[..., None]) -> None:
    reconcile()

    found = driver.db.read(heartbeats.all_beats)
    assert [(one["kind"], one["instance"]) for one in found] == [("reconciler", "test")]
