"""A link goes on with what else waits, and one message serves all that waited when it was taken."""

import time
from collections.abc import Iterable
from typing import Any

import pytest
from kombu.exceptions import OperationalError as BrokerDown

from app.domain.errors import Unavailable
from app.domain.plan import Segment
from app.engine.messages.publisher import LATE_MS, background, new_publisher
from app.engine.transitions.journal import Message, RunMessage
from app.record.fast_path import ready
from app.worker import loop
from app.worker.loop import go_on
from chains import canvas
from chains.messages import DeliveryMessage, WakeUp
from tests.support.driver import Driver
from tests.support.probes import BEFORE, DONE
from tests.support.servers import until

HOUR_S = 3600.0


def others(driver: Driver, queue: str = "default", *, limit_s: float = HOUR_S) -> int:
    """What links do after their own runs, until nothing is left; how many claims they made."""
    driver.waiting.clear()
    claims = 0
    while more := go_on(driver.runner, queue, task_id="t", limit_s=limit_s):
        claims += more
    return claims


def test_all_runs_that_wait_are_found_without_their_messages(driver: Driver) -> None:
    started = [driver.start("probe.short") for _ in range(20)]
    assert others(driver) == 20
    assert {driver.status(one) for one in started} == {"completed"}


def test_members_of_a_fan_out_are_found(driver: Driver) -> None:
    run_id = driver.start("probe.map", {"items": [1, 2, 3, 4]})
    assert others(driver) == 5
    assert driver.run(run_id)["expect_queue"] == "bmc"
    assert others(driver, "bmc") == 1
    assert driver.status(run_id) == "completed"


def test_members_have_their_turn_while_new_runs_never_cease(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "MOST_CLAIMS", 16)
    monkeypatch.setattr(loop, "MOST_S", 60)
    wide = driver.start("probe.map", {"items": [1, 2, 3, 4]})
    BEFORE["first"] = lambda _ctx: driver.start("probe.short")
    driver.start("probe.short")
    go_on(driver.runner, "default", task_id="t", limit_s=HOUR_S)
    assert driver.run(wide)["expect_queue"] == "bmc"  # All its members are done.


def test_a_new_run_has_its_turn_while_many_members_wait(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "MOST_CLAIMS", 1)
    wide = driver.start("probe.map", {"items": list(range(9))})
    go_on(driver.runner, "default", task_id="t", limit_s=HOUR_S)
    short = driver.start("probe.short")
    for _ in range(2):
        go_on(driver.runner, "default", task_id="t", limit_s=HOUR_S)
    assert driver.status(short) == "completed" and driver.status(wide) == "running"


def test_a_run_for_another_queue_is_left(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    others(driver)
    assert driver.step(run_id, "third")["status"] == "pending"
    assert driver.run(run_id)["expect_queue"] == "bmc"


@pytest.mark.parametrize("by_message", [False, True])
def test_a_claimed_step_runs_though_the_database_cannot_say_what_else_waits(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, by_message: bool
) -> None:
    def away(*_args: object, **_how: object) -> bool:
        raise Unavailable("The database does not answer")

    monkeypatch.setattr(ready, "anything", away)
    run_id = driver.start("probe.map", {"items": [1, 2]})
    if not by_message:
        others(driver)
        others(driver, "bmc")
    assert driver.finish(run_id) == "completed"


def test_an_undo_is_found(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    others(driver)
    driver.cancel(run_id)
    others(driver)
    assert driver.status(run_id) == "cancelled"
    assert DONE[-2:] == ["undo second", "undo first"]


def test_what_does_not_fit_into_the_time_left_is_left(driver: Driver) -> None:
    run_id = driver.start("probe.short")
    before = driver.run(run_id)
    assert others(driver, limit_s=1.0) == 0
    assert driver.run(run_id) == before


def test_what_is_left_does_not_hide_what_fits(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    left = [driver.start("probe.short") for _ in range(3)]
    run_id = driver.start("probe.short")
    monkeypatch.setattr(loop, "next_limit_ms", lambda seen: 10**9 if seen.run["id"] in left else 1)
    assert others(driver) == 1
    assert driver.status(run_id) == "completed"


def test_a_paused_run_and_one_in_line_for_a_lock_are_not_found(driver: Driver) -> None:
    driver.start("probe.locked", resource_id="r")
    line = driver.start("probe.locked", resource_id="r", on_conflict="queue")
    paused = driver.start("probe.short")
    driver.act(paused, "pause")
    others(driver)
    assert [driver.status(one) for one in (line, paused)] == ["lock_waiting", "paused"]


def test_what_is_reserved_is_out_of_sight_for_a_second_and_then_back(driver: Driver) -> None:
    run_id = driver.start("probe.short")
    assert [one.run["id"] for one in ready.reserve(driver.db, "default", 5)] == [run_id]
    assert ready.reserve(driver.db, "default", 5) == []
    assert not ready.anything(driver.db, "default")

    until(lambda: ready.anything(driver.db, "default"), 5)
    assert others(driver) == 1


def test_what_is_reserved_may_be_claimed_by_its_own_message(driver: Driver) -> None:
    run_id = driver.start("probe.short")
    ready.reserve(driver.db, "default", 5)
    assert driver.finish(run_id) == "completed"


def test_a_link_that_had_enough_tells_of_what_is_left(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "MOST_CLAIMS", 3)
    monkeypatch.setattr(loop, "MOST_S", 60)
    monkeypatch.setattr(loop, "QUICK_S", 60)
    published: list[Message] = []
    monkeypatch.setattr(driver, "publish", published.extend)
    for _ in range(5):
        driver.start("probe.short")
    published.clear()
    assert go_on(driver.runner, "default", task_id="t", limit_s=HOUR_S) == 3
    assert published[-1] == WakeUp(queue="default")
    published.clear()
    assert go_on(driver.runner, "default", task_id="t", limit_s=HOUR_S) == 2
    assert published == [WakeUp(queue="default")]


def test_a_worker_that_goes_on_wakes_the_others_for_more_before_its_body_runs(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[Message] = []
    monkeypatch.setattr(driver, "publish", published.extend)
    for _ in range(2):
        driver.start("probe.short")
    published.clear()
    seen: list[int] = []
    BEFORE["first"] = lambda _ctx: seen.append(published.count(WakeUp(queue="default")))
    go_on(driver.runner, "default", task_id="t", limit_s=HOUR_S)
    assert seen[0] == 1


def test_before_a_body_runs_a_wake_up_says_that_more_waits(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[Message] = []
    first = driver.start("probe.short")
    driver.start("probe.short")
    seen: list[bool] = []
    BEFORE["first"] = lambda _ctx: seen.append(WakeUp(queue="default") in published)
    run_message, _ = driver.waiting.popleft()
    monkeypatch.setattr(driver, "publish", published.extend)

    loop.run_link(
        driver.runner,
        run_id=first,
        phase="forward",
        key="first",
        gen=run_message.gen,
        task_id="t",
        chained=False,
    )
    assert seen == [True]


def test_the_latest_transition_of_each_step_is_a_commit_of_its_own(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    kept: list[str] = []
    BEFORE["second"] = lambda _ctx: kept.append(driver.step(run_id, "first")["status"])
    others(driver)
    assert kept == ["completed"]


def test_a_run_with_a_large_fan_out_is_found_when_that_has_ended(driver: Driver) -> None:
    run_id = driver.start("probe.map", {"items": list(range(70))})
    assert others(driver) == 71
    assert others(driver, "bmc") == 1
    assert driver.status(run_id) == "completed"


def test_a_long_way_back_is_found_step_by_step(driver: Driver) -> None:
    run_id = driver.start("probe.map", {"items": list(range(70))})
    others(driver)
    driver.cancel(run_id)
    others(driver, limit_s=2 * HOUR_S)
    assert driver.status(run_id) == "cancelled"


class Wire:
    """A broker that notes what is published and reports how long its queues are."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.published: list[str] = []
        self.length = 0
        monkeypatch.setattr(canvas, "publish", lambda _app, _sign, **what: self._put(what["run_id"]))
        monkeypatch.setattr(
            canvas, "publish_wake_up", lambda _app, _sign, one: self._put(f"wake up {one.queue}")
        )
        monkeypatch.setattr(
            canvas, "publish_delivery", lambda _app, _sign, one: self.published.append(one.delivery_id)
        )
        none: Any = None
        self.publish = new_publisher(none, none, lambda _queue: self.length, none, lambda: self._put("woken"))

    def _put(self, what: str) -> None:
        self.published.append(what)
        self.length += 1


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    """An empty one."""
    return Wire(monkeypatch)


def run_message(run_id: str, limit_ms: int = 60_000, queue: str = "default") -> RunMessage:
    """A message for a run."""
    segment = Segment(first="a", last="a", queue=queue, limit_ms=limit_ms)
    return RunMessage(run_id=run_id, type="t", phase="forward", gen=1, segments=(segment,))


def test_one_message_waits_for_all(wire: Wire) -> None:
    wire.publish([run_message("one"), run_message("two"), WakeUp(queue="default")])
    wire.publish([run_message("three")])
    assert wire.published == ["one"]


def test_messages_of_apps_need_no_celery(wire: Wire) -> None:
    wire.publish([WakeUp(queue="app"), WakeUp(queue="app")])
    assert wire.published == ["woken"]


def test_the_next_is_published_when_the_queue_is_empty_again(wire: Wire) -> None:
    wire.publish([run_message("one")])
    wire.length = 0
    wire.publish([run_message("two")])
    assert wire.published == ["one", "two"]


def test_what_takes_long_and_letters_are_always_published(wire: Wire) -> None:
    wire.length = 5
    wire.publish([run_message("long", limit_ms=3_600_000), DeliveryMessage(delivery_id="dlv", fence=0)])
    assert wire.published == ["long", "dlv"]


def test_while_a_broker_that_refused_is_left_alone_no_query_looks_for_what_waits(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canvas, "publish", refuse)
    wire.publish([run_message("one")])
    looked_for = iter([run_message("two")])
    wire.publish(looked_for)
    assert list(looked_for) == [run_message("two")]


def test_messages_close_to_each_other_are_gathered_and_published_if_something_still_waits() -> None:
    published: list[str] = []
    asked: list[str] = []

    def waits(queue: str) -> bool:
        asked.append(queue)
        return queue == "bmc"

    later = background(lambda messages: published.extend(named(messages)), waits)
    later([run_message("one"), run_message("two"), run_message("three"), run_message("four", queue="bmc")])
    until(lambda: "four" in published, 2)
    assert published == ["one", "four"]
    assert asked == ["default", "bmc"]


def test_a_message_that_comes_at_the_end_of_the_gathering_is_not_lost() -> None:
    published: list[str] = []
    put = time.monotonic()
    later = background(
        lambda messages: published.extend(named(messages)),
        lambda _queue: time.monotonic() - put > LATE_MS / 1000,
    )
    for name, pause in (("one", 0.0), ("taken", 0.001), ("last", 0.0085)):
        until(lambda began=put, pause=pause: time.monotonic() - began > pause, 1, pause=0.0001)  # type: ignore[misc]
        put = time.monotonic()
        later([run_message(name)])
    until(lambda: "last" in published or "taken" in published, 1, "a message is published for what came last")


def test_messages_far_from_each_other_are_published_at_once() -> None:
    published: list[str] = []
    later = background(lambda messages: published.extend(named(messages)), lambda _queue: False)
    later([run_message("one")])
    until(lambda: published == ["one"], 2)
    moment = time.monotonic()
    until(lambda: time.monotonic() - moment > 0.02, 2)

    later([run_message("two")])
    until(lambda: published == ["one", "two"], 2)


def refuse(_app: Any, _sign: Any, **_what: Any) -> None:
    """As a broker that is away."""
    raise BrokerDown("Connection refused")


def named(messages: Iterable[Message]) -> list[str]:
    """The runs of messages."""
    return [one.run_id for one in messages if isinstance(one, RunMessage)]
