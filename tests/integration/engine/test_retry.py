"""Retries of a run: a new one, from the start or from a step whose past still stands."""

from typing import Any

import pytest

from app.domain.errors import Conflict, InvalidStateTransition, ValidationFailed
from tests.support.driver import Driver
from tests.support.probes import BEFORE, DONE, fails


def failed(driver: Driver, type_: str = "probe.line", **order: Any) -> str:
    """A run that failed at its third step and undid the others."""
    BEFORE["third"] = fails(1)
    run_id = driver.start(type_, **order)
    assert driver.finish(run_id) == "failed"
    DONE.clear()
    return run_id


def held(driver: Driver, type_: str = "probe.line", **order: Any) -> str:
    """A run that is held at its third step."""
    BEFORE["third"] = fails(1)
    run_id = driver.start(type_, on_failure="hold", **order)
    assert driver.finish(run_id) == "failed_held"
    DONE.clear()
    return run_id


def test_a_failed_run_is_repeated_from_its_start_as_a_new_run(driver: Driver) -> None:
    old = failed(driver)

    new = driver.retry(old)
    assert driver.finish(new) == "completed"
    assert DONE == ["first", "second", "third"]
    assert driver.run(new)["retry_of"] == old
    assert driver.status(old) == "failed"


def test_a_step_after_undone_ones_is_refused_with_the_earliest_one_possible(driver: Driver) -> None:
    old = failed(driver)

    with pytest.raises(InvalidStateTransition) as refused:
        driver.retry(old, from_step="third")
    assert refused.value.details["blockingSteps"] == ["first", "second"]
    assert refused.value.details["earliestStep"] == "first"


def test_an_unknown_step_is_refused(driver: Driver) -> None:
    with pytest.raises(ValidationFailed):
        driver.retry(failed(driver), from_step="fourth")


def test_the_earliest_step_of_an_undone_run_is_its_first(driver: Driver) -> None:
    new = driver.retry(failed(driver), earliest=True)

    assert driver.finish(new) == "completed"
    assert DONE == ["first", "second", "third"]


def test_a_held_run_is_retried_from_its_failed_step_without_repeating_the_others(driver: Driver) -> None:
    old = held(driver)

    new = driver.retry(old, from_step="third")
    assert driver.status(old) == "failed"
    assert driver.finish(new) == "completed"
    assert DONE == ["third"]
    assert driver.step(new, "second")["status"] == "skipped"
    assert driver.run(new)["output"] == {"first_done": 1, "second_done": 1}


def test_the_earliest_step_of_a_held_run_is_the_failed_one(driver: Driver) -> None:
    new = driver.retry(held(driver), earliest=True)

    assert driver.finish(new) == "completed"
    assert DONE == ["third"]


def test_the_retry_of_a_held_run_undoes_what_the_old_run_did(driver: Driver) -> None:
    old = held(driver)
    BEFORE["third"] = fails()

    new = driver.retry(old, from_step="third")
    driver.finish(new)
    driver.act(new, "compensate")
    assert driver.finish(new) == "failed"
    assert DONE == ["third", "undo third", "undo second", "undo first"]


def test_a_retry_from_the_start_of_a_held_run_undoes_what_it_did_not_reach(driver: Driver) -> None:
    old = held(driver)
    BEFORE["first"] = fails()

    new = driver.retry(old)
    driver.finish(new)
    driver.act(new, "compensate")
    assert driver.finish(new) == "failed"
    assert DONE == ["first", "undo third", "undo second", "undo first"]


def test_the_lock_of_a_held_run_moves_to_its_retry(driver: Driver) -> None:
    old = held(driver, "probe.locked", resource_id="p1")
    waiter = driver.start("probe.locked", resource_id="p1", on_conflict="queue")

    new = driver.retry(old, from_step="third")
    assert driver.holder("probe/p1") == new
    assert driver.finish(new) == "completed"
    assert driver.status(waiter) == "completed"
    assert driver.holder("probe/p1") is None


def test_one_live_retry_is_enough(driver: Driver) -> None:
    old = failed(driver)
    new = driver.retry(old)

    with pytest.raises(Conflict) as refused:
        driver.retry(old)
    assert refused.value.details["retriedBy"] == new


def test_a_retry_that_ended_may_be_followed_by_another(driver: Driver) -> None:
    old = failed(driver)
    driver.finish(driver.retry(old))

    assert driver.finish(driver.retry(old)) == "completed"


def test_a_retry_of_a_free_resource_takes_its_lock_and_one_of_a_taken_is_refused(driver: Driver) -> None:
    old = failed(driver, "probe.locked", resource_id="p1")
    other = driver.start("probe.locked", resource_id="p1")

    with pytest.raises(Conflict) as refused:
        driver.retry(old)
    assert refused.value.details["holder"]["runId"] == other
    driver.finish(other)
    assert driver.finish(driver.retry(old)) == "completed"


@pytest.mark.parametrize("where", ["completed", "running"])
def test_only_what_failed_can_be_retried(driver: Driver, where: str) -> None:
    run_id = driver.start("probe.line")
    if where == "completed":
        driver.finish(run_id)

    with pytest.raises(InvalidStateTransition):
        driver.retry(run_id)


def test_a_run_that_is_still_being_undone_cannot_be_retried(driver: Driver) -> None:
    BEFORE["third"], BEFORE["undo second"] = fails(), fails()
    run_id = driver.start("probe.line")
    assert driver.finish(run_id) == "compensation_failed"

    with pytest.raises(Conflict) as refused:
        driver.retry(run_id)
    assert refused.value.details["reason"] == "compensation_in_progress"


def test_edited_input_is_checked_and_its_difference_is_in_the_log(driver: Driver) -> None:
    old = driver.start("probe.map", {"items": 7})
    assert driver.finish(old) == "failed"

    new = driver.retry(old, edited={"items": [1]})
    assert driver.finish(new) == "completed"
    created = driver.log(new)[0]["payload"]
    assert (created["retryOf"], created["changed"]) == (old, {"items": [1]})


def test_a_retry_that_is_sent_twice_is_made_once(driver: Driver) -> None:
    old = held(driver)

    new = driver.retry(old, from_step="third", fresh="run_asked_twice")
    assert driver.retry(old, from_step="third", fresh="run_asked_twice") == new
    assert driver.finish(new) == "completed"
    assert DONE == ["third"]


def test_a_retry_of_a_held_map_covers_members_that_it_does_not_reach(driver: Driver) -> None:
    BEFORE["visit c"] = fails(1)
    old = driver.start("probe.map", {"items": ["a", "b", "c"]}, on_failure="hold")
    assert driver.finish(old) == "failed_held"
    BEFORE["visit a"] = fails()

    new = driver.retry(old, from_step="each-item")
    driver.deliver()
    driver.finish(new)
    driver.act(new, "compensate")
    assert driver.finish(new) == "failed"
    assert {"unvisit a", "unvisit b", "unvisit c"} <= set(DONE)


def test_a_retry_of_a_held_map_with_another_list_undoes_what_the_old_one_did(driver: Driver) -> None:
    BEFORE["visit b"] = fails(1)
    old = driver.start("probe.map", {"items": ["a", "b"]}, on_failure="hold")
    driver.finish(old)

    new = driver.retry(old, edited={"items": ["c"]})
    driver.finish(new)
    assert "The list of each-item changed" in driver.run(new)["error_message"]
    driver.act(new, "compensate")
    assert driver.finish(new) == "failed"
    assert {"unvisit a", "unvisit b", "undo first"} <= set(DONE)
    assert "visit c" not in DONE


@pytest.mark.parametrize("on_failure", ["compensate", "hold"])
def test_why_it_was_retried_stands_in_both_logs(driver: Driver, on_failure: str) -> None:
    BEFORE["third"] = fails(1)
    old = driver.start("probe.line", on_failure=on_failure)
    driver.finish(old)
    new = driver.retry(old, reason="the switch was replaced")
    actions = [one["payload"] for one in driver.log(old) if one["type"] == "operator.action"]
    assert [(one["reason"], one["retriedBy"]) for one in actions] == [("the switch was replaced", new)]
    assert driver.log(new)[0]["payload"]["reason"] == "the switch was replaced"
    assert driver.finish(new) == "completed"
