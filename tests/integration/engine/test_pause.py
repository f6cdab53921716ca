"""A paused run starts nothing new, keeps what it has, and goes on where it stood."""

from collections.abc import Callable

import pytest

from app.domain.errors import InvalidStateTransition, StepError
from tasks.step import Again
from tests.support.driver import Driver
from tests.support.probes import BEFORE, DONE, POLLS, fails


def queued(driver: Driver) -> str:
    return driver.start("probe.line")


def between_steps(driver: Driver) -> str:
    run_id = driver.start("probe.line")
    driver.deliver()
    return run_id


def waiting_to_retry(driver: Driver) -> str:
    BEFORE["second"] = fails(1, StepError)
    run_id = driver.start("probe.line")
    driver.drain()
    return run_id


def suspended(driver: Driver) -> str:
    POLLS.append(Again())
    run_id = driver.start("probe.job")
    driver.drain()
    return run_id


def in_a_group(driver: Driver) -> str:
    run_id = driver.start("probe.group")
    driver.deliver()
    driver.deliver()
    return run_id


def in_a_limited_map(driver: Driver) -> str:
    run_id = driver.start("probe.map", {"items": [1, 2, 3, 4], "limit": 2})
    driver.deliver()
    driver.deliver()
    return run_id


REACH = [queued, between_steps, waiting_to_retry, suspended, in_a_group, in_a_limited_map]


@pytest.mark.parametrize("reach", REACH)
def test_a_paused_run_stands_still_and_goes_on_later(driver: Driver, reach: Callable[[Driver], str]) -> None:
    run_id = reach(driver)
    driver.act(run_id, "pause")
    done = list(DONE)

    assert driver.finish(run_id) == "paused"
    assert done == DONE
    driver.act(run_id, "unpause")
    assert driver.finish(run_id) == "completed"


@pytest.mark.parametrize("reach", [waiting_to_retry, suspended])
def test_a_timer_that_fires_meanwhile_is_not_forgotten(
    driver: Driver, reach: Callable[[Driver], str]
) -> None:
    run_id = reach(driver)
    driver.act(run_id, "pause")

    assert driver.fire(run_id)
    driver.drain()
    assert driver.status(run_id) == "paused"
    driver.act(run_id, "unpause")
    assert driver.finish(run_id) == "completed"


@pytest.mark.parametrize("reach", [waiting_to_retry, suspended])
def test_a_run_that_goes_on_waiting_says_for_what(driver: Driver, reach: Callable[[Driver], str]) -> None:
    run_id = reach(driver)
    before = driver.run(run_id)["waiting_on"]
    driver.act(run_id, "pause")

    driver.act(run_id, "unpause")
    after = driver.run(run_id)["waiting_on"]
    assert (after["kind"], after["step"], after["until"]) == (before["kind"], before["step"], before["until"])
    assert driver.finish(run_id) == "completed"


def test_a_step_that_runs_ends_and_the_next_one_waits(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    BEFORE["first"] = lambda _ctx: driver.act(run_id, "pause")

    driver.drain()
    assert (DONE, driver.status(run_id)) == (["first"], "paused")
    driver.act(run_id, "unpause")
    assert driver.finish(run_id) == "completed"
    assert DONE == ["first", "second", "third"]


def test_a_step_that_fails_meanwhile_is_tried_again_later(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    raised = iter([StepError("busy")])

    def pause_and_fail(_ctx: object) -> None:
        error = next(raised, None)
        if error is not None:
            driver.act(run_id, "pause")
            raise error

    BEFORE["first"] = pause_and_fail
    driver.drain()
    driver.act(run_id, "unpause")
    assert driver.finish(run_id) == "completed"
    assert DONE.count("first") == 2


def test_the_last_step_that_ends_meanwhile_ends_the_run_later(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    BEFORE["third"] = lambda _ctx: driver.act(run_id, "pause")

    assert driver.finish(run_id) == "paused"
    driver.act(run_id, "unpause")
    assert driver.finish(run_id) == "completed"


def test_members_that_end_meanwhile_are_counted(driver: Driver) -> None:
    run_id = driver.start("probe.map", {"items": [1, 2, 3]})
    BEFORE["visit 1"] = lambda _ctx: driver.act(run_id, "pause")

    assert driver.finish(run_id) == "paused"
    driver.act(run_id, "unpause")
    assert driver.finish(run_id) == "completed"
    assert [one for one in DONE if one.startswith("visit")] == ["visit 1", "visit 2", "visit 3"]


def test_a_limit_holds_while_a_run_is_paused_and_afterwards(driver: Driver) -> None:
    run_id = driver.start("probe.map", {"items": [1, 2, 3, 4], "limit": 1})
    BEFORE["visit 1"] = lambda _ctx: driver.act(run_id, "pause")
    driver.drain()
    assert len(driver.waiting) == 0

    driver.act(run_id, "unpause")
    assert len(driver.waiting) == 1
    assert driver.finish(run_id) == "completed"


def test_a_run_in_line_may_be_paused_and_gets_its_lock_meanwhile(driver: Driver) -> None:
    holder = driver.start("probe.locked", resource_id="p1")
    waiter = driver.start("probe.locked", resource_id="p1", on_conflict="queue")
    driver.act(waiter, "pause")

    assert driver.finish(holder) == "completed"
    assert (driver.holder("probe/p1"), driver.status(waiter)) == (waiter, "paused")
    driver.act(waiter, "unpause")
    assert driver.finish(waiter) == "completed"


def test_a_run_in_line_keeps_its_place_when_it_is_paused_and_let_go(driver: Driver) -> None:
    holder = driver.start("probe.locked", resource_id="p1")
    waiter = driver.start("probe.locked", resource_id="p1", on_conflict="queue")
    driver.act(waiter, "pause")
    driver.act(waiter, "unpause")

    waiting = driver.run(waiter)["waiting_on"]
    assert (driver.status(waiter), waiting["kind"], waiting["holder"]) == ("lock_waiting", "lock", holder)
    driver.finish(holder)
    assert driver.finish(waiter) == "completed"


def test_a_paused_run_is_compensated_when_an_operator_says_so(driver: Driver) -> None:
    run_id = between_steps(driver)
    driver.act(run_id, "pause")

    driver.act(run_id, "compensate")
    assert driver.finish(run_id) == "failed"
    assert DONE[-1] == "undo first"


def test_a_hook_that_is_called_meanwhile_is_not_forgotten(driver: Driver) -> None:
    run_id = suspended(driver)
    token = driver.open_hook(run_id, "job")
    driver.act(run_id, "pause")

    driver.call_hook(token, {"by": "installer"})
    driver.act(run_id, "unpause")
    assert driver.finish(run_id) == "completed"
    assert driver.run(run_id)["output"]["job_done"] == {"by": "installer"}


def test_only_what_moves_can_be_paused(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    driver.finish(run_id)

    with pytest.raises(InvalidStateTransition):
        driver.act(run_id, "pause")


def test_pausing_twice_is_refused(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    driver.act(run_id, "pause")

    with pytest.raises(InvalidStateTransition):
        driver.act(run_id, "pause")
    driver.act(run_id, "unpause")
    driver.finish(run_id)
