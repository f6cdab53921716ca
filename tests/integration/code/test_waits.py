"""Sleeps and signals: no worker is held, each wait ends once, each signal is taken once and in order."""

from typing import Any

import pytest

from app.domain.errors import Conflict, InvalidStateTransition
from tests.integration.code.flows import DONE, note
from tests.support.driver import Driver
from windlass import SignalTimeout, workflow


@workflow("naps")
def naps(ctx: Any) -> Any:
    ctx.step("before", note, "before")
    for duration in ("2s", 5000, 10, "1h"):
        ctx.sleep(duration)
    return ctx.step("after", note, "after")


@workflow("asks")
def asks(ctx: Any, times: int = 1, timeout: Any = None) -> Any:
    return [ctx.wait_for_signal("answer", timeout=timeout) for _ in range(times)]


@workflow("asks-patiently")
def asks_patiently(ctx: Any) -> Any:
    try:
        return ctx.wait_for_signal("answer", timeout="3d")
    except SignalTimeout:
        return ctx.wait_for_signal("answer", timeout="1h", default="nobody")


def test_a_sleep_holds_no_worker_and_ends_at_its_time(driver: Driver) -> None:
    run_id = driver.trigger(naps)
    waits = []
    for _ in range(4):
        driver.drain()
        waiting = driver.run(run_id)["waiting_on"]
        waits.append(waiting["until"] - waiting["since"])
        assert (driver.status(run_id), waiting["kind"]) == ("waiting", "sleep")
        assert driver.fire(run_id, "sleep")
    assert waits == [2_000, 5_000, 10_000, 3_600_000]
    assert (driver.finish(run_id), driver.result(run_id), DONE) == ("completed", "after", ["before", "after"])


def test_a_sleep_of_no_time_leaves_the_function_not(driver: Driver) -> None:
    run_id = driver.trigger(sleeps_not)
    driver.deliver()
    assert (driver.status(run_id), driver.result(run_id)) == ("completed", "awake")


@workflow("sleeps-not")
def sleeps_not(ctx: Any) -> str:
    ctx.sleep(0)
    return "awake"


def test_a_signal_ends_the_wait(driver: Driver) -> None:
    run_id = driver.trigger(asks)
    driver.drain()
    assert driver.run(run_id)["waiting_on"]["name"] == "answer"
    driver.signal(run_id, "other", 0)
    driver.drain()
    assert driver.status(run_id) == "waiting"
    driver.signal(run_id, "answer", {"yes": True})
    driver.drain()
    assert (driver.status(run_id), driver.result(run_id)) == ("completed", [{"yes": True}])


def test_signals_before_the_wait_are_taken_in_their_order(driver: Driver) -> None:
    run_id = driver.trigger(asks, 3)
    for number in (1, 2):
        driver.signal(run_id, "answer", number)
    driver.drain()
    assert driver.status(run_id) == "waiting"
    driver.signal(run_id, "answer", None)
    assert (driver.finish(run_id), driver.result(run_id)) == ("completed", [1, 2, None])


def test_a_wait_whose_signal_is_there_costs_no_further_message(driver: Driver) -> None:
    run_id = driver.trigger(asks, 2)
    for number in (1, 2):
        driver.signal(run_id, "answer", number)
    driver.deliver()
    assert (driver.status(run_id), driver.published) == ("completed", 1)


def test_a_signal_with_the_same_key_is_the_same_signal(driver: Driver) -> None:
    run_id = driver.trigger(asks, 2)
    first = driver.signal(run_id, "answer", 1, key="k")
    driver.drain()
    assert driver.signal(run_id, "answer", 1, key="k") == first
    with pytest.raises(Conflict):
        driver.signal(run_id, "answer", 2, key="k")
    driver.signal(run_id, "answer", 2, key="other")
    assert (driver.finish(run_id), driver.result(run_id)) == ("completed", [1, 2])
    assert driver.signal(run_id, "answer", 1, key="k") == first


def test_an_ended_run_takes_no_signals(driver: Driver) -> None:
    run_id = driver.trigger(asks)
    driver.signal(run_id, "answer", 1)
    driver.finish(run_id)
    with pytest.raises(InvalidStateTransition):
        driver.signal(run_id, "answer", 2)


def test_a_wait_without_its_signal_ends_in_time(driver: Driver) -> None:
    run_id = driver.trigger(asks_patiently)
    driver.drain()
    assert driver.fire(run_id, "deadline")
    driver.drain()
    assert driver.status(run_id) == "waiting"
    assert driver.fire(run_id, "deadline")
    assert (driver.finish(run_id), driver.result(run_id)) == ("completed", "nobody")


def test_an_uncaught_timeout_fails_the_run(driver: Driver) -> None:
    run_id = driver.trigger(asks, 1, "1h")
    driver.drain()
    driver.fire(run_id, "deadline")
    assert driver.finish(run_id) == "failed"
    assert driver.run(run_id)["error_message"].startswith("SignalTimeout")


def test_a_signal_after_the_timeout_is_for_the_next_wait(driver: Driver) -> None:
    run_id = driver.trigger(asks_patiently)
    driver.drain()
    driver.fire(run_id, "deadline")
    driver.signal(run_id, "answer", "late")
    assert (driver.finish(run_id), driver.result(run_id)) == ("completed", "late")


def test_a_timeout_after_the_signal_changes_nothing(driver: Driver) -> None:
    run_id = driver.trigger(asks, 2, "1h")
    driver.drain()
    driver.signal(run_id, "answer", 1)
    assert not driver.fire(run_id, "deadline")
    driver.drain()
    driver.signal(run_id, "answer", 2)
    assert (driver.finish(run_id), driver.result(run_id)) == ("completed", [1, 2])


def test_a_cancelled_wait_takes_no_signal(driver: Driver) -> None:
    run_id = driver.trigger(asks, 1, "1h")
    driver.drain()
    driver.cancel(run_id)
    assert driver.status(run_id) == "cancelled"
    assert not driver.fire(run_id, "deadline")


def test_a_lost_message_after_a_wait_is_found(driver: Driver) -> None:
    run_id = driver.trigger(asks)
    driver.drain()
    driver.signal(run_id, "answer", 1)
    driver.waiting.clear()
    assert driver.find_lost() == 1
    assert (driver.finish(run_id), driver.result(run_id)) == ("completed", [1])
