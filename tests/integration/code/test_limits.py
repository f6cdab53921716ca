"""What a run may have: events, counted exactly, and time of work, in which it does not wait."""

from typing import Any

import pytest

from app.engine.code import emit, limits
from app.engine.code.emit import CircuitOpen
from app.record.session import dump
from tests.integration.code.flows import DONE, TROUBLE, Killed, dies, fails, note, unnote
from tests.support.driver import Driver
from windlass import workflow


@workflow("runaway")
def runaway(ctx: Any, times: int = 1_000) -> None:
    ctx.step("book", note, "book", undo=unnote)
    for number in range(times):
        ctx.step("work", note, number)


@workflow("wide")
def wide(ctx: Any, count: int, **options: Any) -> Any:
    return ctx.parallel([ctx.call("work", note, number, **options) for number in range(count)])


@workflow("listens")
def listens(ctx: Any) -> Any:
    return ctx.wait_for_signal("go")


@workflow("talks")
def talks(ctx: Any) -> Any:
    for number in range(100):
        ctx.emit("said", number)


@workflow("makes-values")
def makes_values(ctx: Any) -> Any:
    while True:
        ctx.uuid()


def test_a_function_that_makes_values_for_ever_is_stopped(driver: Driver) -> None:
    run_id = driver.trigger(makes_values, max_events=200)
    assert (driver.finish(run_id), driver.run(run_id)["error_code"]) == ("failed", "MAX_EVENTS_EXCEEDED")


def length_before_the_end(driver: Driver, run_id: str) -> int:
    """How many events there were when the limit was reached."""
    return driver.events(run_id).index("run.limit_reached")


@pytest.mark.parametrize("most", [5, 6, 7, 20])
def test_a_run_has_never_more_events_than_it_may(driver: Driver, most: int) -> None:
    run_id = driver.trigger(runaway, max_events=most)
    assert (driver.finish(run_id), driver.run(run_id)["error_code"]) == ("failed", "MAX_EVENTS_EXCEEDED")
    assert length_before_the_end(driver, run_id) <= most
    assert DONE[-1] in ("undo book", "undo book?")


def test_a_run_that_needs_all_its_events_completes(driver: Driver) -> None:
    run_id = driver.trigger(runaway, 10)
    assert driver.finish(run_id) == "completed"
    needed = len(driver.log(run_id)) - 2  # Without its end.
    again = driver.trigger(runaway, 10, max_events=needed)
    assert driver.finish(again) == "completed"
    less = driver.trigger(runaway, 10, max_events=needed - 1)
    assert driver.finish(less) == "failed"


def test_events_of_the_function_count(driver: Driver) -> None:
    run_id = driver.trigger(talks, max_events=20)
    assert driver.finish(run_id) == "failed"
    assert 15 < length_before_the_end(driver, run_id) <= 20


@pytest.mark.parametrize("most", range(12, 20))
def test_members_cannot_exceed_the_limit_together(driver: Driver, most: int) -> None:
    TROUBLE.update({2: fails(2), 1: dies()})
    run_id = driver.trigger(wide, 3, max_events=most, kwargs={"retries": 2, "retry_delay": 0})
    try:
        driver.drain()
    except Killed:
        driver.lose(run_id, "work#2")
    status = driver.finish(run_id)
    assert status == "failed" if most < 17 else status in ("failed", "completed")


def test_a_fan_out_that_cannot_fit_is_not_begun(driver: Driver) -> None:
    run_id = driver.trigger(wide, 30, max_events=40)
    assert (driver.finish(run_id), DONE) == ("failed", [])


def test_others_cannot_take_the_events_that_a_wait_needs(driver: Driver) -> None:
    run_id = driver.trigger(listens, max_events=15)
    driver.drain()
    for _ in range(20):
        try:
            driver.signal(run_id, "other", None)
        except CircuitOpen:
            break
    else:
        raise AssertionError("there is always room")
    with pytest.raises(CircuitOpen):
        driver.under_lock(run_id, lambda j: emit.emit(j, "said", 1, actor="usr_test"))
    driver.signal(run_id, "go", "on")
    assert (driver.finish(run_id), driver.result(run_id)) == ("completed", "on")


@pytest.fixture
def few_bytes(monkeypatch: pytest.MonkeyPatch) -> int:
    """What the events and signals of a run may have: little."""
    monkeypatch.setattr(limits.BYTES, "most", 20_000)
    return limits.BYTES.most


def test_a_run_whose_events_are_too_large_together_is_undone(driver: Driver, few_bytes: int) -> None:
    TROUBLE.update(dict.fromkeys(range(1_000), lambda: None))
    run_id = driver.trigger(runaway)
    assert (driver.finish(run_id), driver.run(run_id)["error_code"]) == ("failed", "MAX_BYTES_EXCEEDED")
    assert f"{few_bytes} (WINDLASS_RUN_BYTES)" in driver.run(run_id)["error_message"]
    before = [row["payload"] for row in driver.log(run_id)][: length_before_the_end(driver, run_id)]
    assert sum(len(dump(payload)) for payload in before if payload) <= few_bytes


@pytest.mark.parametrize("kind", ["signal", "event"])
def test_nobody_outside_fills_a_run_with_bytes(driver: Driver, few_bytes: int, kind: str) -> None:
    run_id, large = driver.trigger(listens), "x" * 9_000
    driver.drain()
    taken = 0
    with pytest.raises(CircuitOpen, match="WINDLASS_RUN_BYTES"):
        while taken < 10:
            if kind == "signal":
                driver.signal(run_id, "other", large)
            else:
                driver.under_lock(run_id, lambda j: emit.emit(j, "said", large, actor="usr_test"))
            taken += 1
    assert taken == 3


def test_members_count_their_bytes_whoever_is_quicker(driver: Driver) -> None:
    run_id = driver.trigger(wide, 4)
    driver.finish(run_id)
    payloads = [row["payload"] for row in driver.log(run_id)]
    written = sum(len(dump(payload)) for payload in payloads if payload)
    assert driver.run(run_id)["log_bytes"] == pytest.approx(written, abs=10)


def test_a_held_run_that_reached_its_limit_may_be_compensated(driver: Driver) -> None:
    run_id = driver.trigger(runaway, max_events=10, on_failure="hold")
    assert driver.finish(run_id) == "failed_held"
    driver.act(run_id, "resume")
    assert driver.finish(run_id) == "failed_held"
    driver.act(run_id, "compensate")
    assert (driver.finish(run_id), DONE[-1]) == ("failed", "undo book")


@workflow("works", execution_timeout="10s")
def works(ctx: Any) -> Any:
    ctx.step("book", note, "book", undo=unnote)
    ctx.sleep("1h")
    ctx.wait_for_signal("go")
    ctx.parallel([ctx.call("left", note, "left"), ctx.call("right", note, "right")])
    return ctx.step("last", note, "last")


def armed(driver: Driver, run_id: str) -> bool:
    return driver.step(run_id, "main")["deadline_at"] is not None


def test_the_clock_stands_still_while_the_run_sleeps_or_waits(driver: Driver) -> None:
    run_id = driver.trigger(works)
    driver.drain()
    assert not armed(driver, run_id)
    left = driver.step(run_id, "main")["given"]["leftMs"]
    assert 8_000 < left <= 10_000
    driver.fire(run_id, "sleep")
    driver.drain()
    assert not armed(driver, run_id)
    assert 7_000 < driver.step(run_id, "main")["given"]["leftMs"] <= left


def test_work_of_members_is_work(driver: Driver) -> None:
    run_id = driver.trigger(works)
    driver.signal(run_id, "go", None)
    driver.drain()
    driver.fire(run_id, "sleep")
    driver.deliver()
    assert armed(driver, run_id)
    driver.fire(run_id, "execution")
    assert (driver.finish(run_id), driver.run(run_id)["error_code"]) == ("failed", "EXECUTION_TIMEOUT")
    assert DONE == ["book", "undo book"]


def test_a_result_that_is_late_is_kept_and_ignored(driver: Driver) -> None:
    run_id = driver.trigger(works)
    TROUBLE["book"] = lambda: driver.fire(run_id, "execution")
    assert (driver.finish(run_id), driver.run(run_id)["error_code"]) == ("failed", "EXECUTION_TIMEOUT")
    assert driver.step(run_id, "book")["status"] == "completed"
    assert DONE == ["book", "undo book"]


def test_a_run_that_ends_in_time_has_no_clock_left(driver: Driver) -> None:
    run_id = driver.trigger(works)
    driver.signal(run_id, "go", None)
    assert driver.finish(run_id) == "completed"
    assert not driver.fire(run_id, "execution")


def test_a_clock_that_runs_out_in_a_pause_is_heard_after_it(driver: Driver) -> None:
    run_id = driver.trigger(works)
    driver.signal(run_id, "go", None)
    driver.drain()
    driver.fire(run_id, "sleep")
    driver.deliver()
    driver.act(run_id, "pause")
    driver.fire(run_id, "execution")
    assert driver.status(run_id) == "paused"
    driver.act(run_id, "unpause")
    driver.drain()
    driver.fire(run_id, "execution")
    assert driver.finish(run_id) in ("failed", "completed")


@workflow("held-clock", execution_timeout="10s")
def held_clock(ctx: Any) -> Any:
    return ctx.step("slow", note, "slow", undo=unnote)


def test_a_held_run_whose_time_was_over_gets_it_anew(driver: Driver) -> None:
    run_id = driver.trigger(held_clock, on_failure="hold")
    TROUBLE["slow"] = lambda: driver.fire(run_id, "execution")
    assert driver.finish(run_id) == "failed_held"
    driver.act(run_id, "resume")
    assert (driver.finish(run_id), DONE) == ("completed", ["slow"])
