"""Cancel in each state of a run, and what is undone then."""

from typing import Any

import pytest

from app.domain.errors import InvalidStateTransition
from tests.integration.code.flows import DONE, TROUBLE, Killed, dies, fails, note, unnote
from tests.support.driver import Driver
from windlass import workflow


@workflow("long")
def long(ctx: Any) -> Any:
    ctx.step("one", note, "one", undo=unnote)
    ctx.parallel([ctx.call(name, note, name, undo=unnote) for name in ("left", "right")])
    ctx.wait_for_signal("go")
    return ctx.step("two", note, "two", undo=unnote)


def test_a_run_that_has_not_begun_ends_at_once(driver: Driver) -> None:
    run_id = driver.trigger(long)
    driver.cancel(run_id)
    driver.drain()
    assert (driver.status(run_id), DONE) == ("cancelled", [])


def test_a_suspended_run_is_undone_newest_first(driver: Driver) -> None:
    run_id = driver.trigger(long)
    driver.drain()
    driver.cancel(run_id)
    assert driver.finish(run_id) == "cancelled"
    assert DONE[3:] == ["undo right", "undo left", "undo one"]


def test_a_body_that_runs_ends_first_and_is_undone_with_its_result(driver: Driver) -> None:
    run_id = driver.trigger(long)
    TROUBLE["one"] = lambda: driver.cancel(run_id)
    assert (driver.finish(run_id), DONE) == ("cancelled", ["one", "undo one"])


def test_a_member_that_runs_ends_first(driver: Driver) -> None:
    run_id = driver.trigger(long)
    TROUBLE["left"] = lambda: driver.cancel(run_id)
    assert (driver.finish(run_id), DONE) == ("cancelled", ["one", "left", "undo left", "undo one"])


def test_the_last_body_of_all_may_be_cancelled(driver: Driver) -> None:
    run_id = driver.trigger(long)
    driver.signal(run_id, "go", None)
    TROUBLE["two"] = lambda: driver.cancel(run_id)
    assert driver.finish(run_id) == "cancelled"
    assert DONE[4:] == ["undo two", "undo right", "undo left", "undo one"]


def test_a_cancel_while_undoing_changes_nothing(driver: Driver) -> None:
    run_id = driver.trigger(long)
    driver.drain()
    TROUBLE["undo left"] = lambda: driver.cancel(run_id)
    driver.cancel(run_id)
    assert (driver.finish(run_id), DONE.count("undo one")) == ("cancelled", 1)
    with pytest.raises(InvalidStateTransition):
        driver.cancel(run_id)


def test_a_worker_lost_while_its_run_is_cancelled(driver: Driver) -> None:
    run_id = driver.trigger(long)

    def both() -> None:
        driver.cancel(run_id)
        raise Killed

    TROUBLE["one"] = both
    with pytest.raises(Killed):
        driver.drain()
    driver.lose(run_id, "main")
    assert (driver.finish(run_id), DONE) == ("cancelled", ["one", "undo one?"])


def test_a_killed_advance_is_undone_as_unknown(driver: Driver) -> None:
    run_id = driver.trigger(long)
    TROUBLE["one"] = lambda: driver.cancel(run_id, mode="kill")
    assert (driver.finish(run_id), DONE) == ("cancelled", ["one", "undo one?"])


def test_an_abandoned_run_undoes_nothing(driver: Driver) -> None:
    run_id = driver.trigger(long)
    driver.drain()
    driver.cancel(run_id, mode="abandon")
    assert (driver.finish(run_id), len(DONE)) == ("cancelled", 3)


def test_a_retry_that_is_due_is_given_up(driver: Driver) -> None:
    TROUBLE["charge"] = fails()
    run_id = driver.trigger(retries)
    driver.drain()
    driver.cancel(run_id)
    assert (driver.finish(run_id), DONE) == ("cancelled", ["charge", "undo charge?"])


@workflow("retries")
def retries(ctx: Any) -> Any:
    return ctx.step("charge", note, "charge", retries=3, retry_delay="1h", undo=unnote)


@workflow("stubborn")
def stubborn(ctx: Any) -> Any:
    try:
        ctx.step("one", note, "one")
        ctx.wait_for_signal("go")
    except BaseException:
        ctx.step("sneaky", note, "sneaky")
    return "done all the same"


def test_a_function_that_swallows_everything_is_stopped_all_the_same(driver: Driver) -> None:
    run_id = driver.trigger(stubborn)
    driver.drain()
    assert (driver.status(run_id), DONE) == ("waiting", ["one"])
    driver.cancel(run_id)
    assert (driver.finish(run_id), DONE) == ("cancelled", ["one"])


@workflow("starts-over")
def starts_over(ctx: Any) -> None:
    ctx.step("one", note, "one")
    ctx.restart()


def test_a_cancelled_run_does_not_start_over(driver: Driver) -> None:
    run_id = driver.trigger(starts_over)
    TROUBLE["one"] = lambda: driver.cancel(run_id)
    assert (driver.finish(run_id), DONE, len(driver.waiting)) == ("cancelled", ["one"], 0)


def test_an_undo_that_kills_its_workers_needs_an_operator(driver: Driver) -> None:
    run_id = driver.trigger(long)
    driver.drain()
    TROUBLE["undo left"] = dies(3)
    driver.cancel(run_id)
    for _ in range(3):
        with pytest.raises(Killed):
            driver.drain()
        driver.lose(run_id, "left", "comp")
    assert driver.status(run_id) == "compensation_failed"
    driver.act(run_id, "resume")
    assert (driver.finish(run_id), DONE[-2:]) == ("cancelled", ["undo left", "undo one"])


def test_a_lost_member_is_undone_when_its_run_was_cancelled(driver: Driver) -> None:
    TROUBLE["left"] = dies()
    run_id = driver.trigger(long)
    with pytest.raises(Killed):
        driver.drain()
    driver.cancel(run_id)
    driver.lose(run_id, "left")
    assert (driver.finish(run_id), DONE) == ("cancelled", ["one", "left", "undo left?", "undo one"])
