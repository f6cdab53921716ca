"""A run that holds what it has after a failure, and the ways out of that."""

from typing import Any

import pytest

from app.domain.errors import InvalidStateTransition, ValidationFailed
from app.domain.rows.runs import RunRow
from app.record.runs import runs
from tests.support.driver import Driver
from tests.support.probes import BEFORE, DONE, fails


def held(driver: Driver, **order: Any) -> str:
    """A run that is held because its third step failed once."""
    BEFORE["third"] = fails(1)
    run_id = driver.start("probe.line", on_failure="hold", **order)
    assert driver.finish(run_id) == "failed_held"
    return run_id


def test_a_held_run_keeps_its_effects_and_says_until_when(driver: Driver) -> None:
    run_id = held(driver)

    assert DONE == ["first", "second", "third"]
    waiting = driver.run(run_id)["waiting_on"]
    assert (waiting["kind"], waiting["step"]) == ("operator", "third")
    assert waiting["until"] - waiting["since"] == 15 * 60_000


def test_a_held_run_goes_on_at_the_failed_step_when_it_is_resumed(driver: Driver) -> None:
    run_id = held(driver)

    driver.act(run_id, "resume", reason="repaired")
    assert driver.finish(run_id) == "completed"
    assert DONE == ["first", "second", "third", "third"]
    assert driver.run(run_id)["error_code"] is None


def test_a_resumed_run_has_no_hold_timer_left(driver: Driver) -> None:
    run_id = held(driver)

    driver.act(run_id, "resume")
    assert not driver.fire(run_id, "hold")
    assert driver.finish(run_id) == "completed"


@pytest.mark.parametrize("action", ["skip", "resolve"])
def test_an_operator_lets_a_held_run_go_on_without_its_step(driver: Driver, action: str) -> None:
    run_id = held(driver)

    driver.act(run_id, action)
    assert driver.finish(run_id) == "completed"
    assert DONE.count("third") == 1


def test_the_hold_time_ends_in_compensation(driver: Driver) -> None:
    run_id = held(driver)

    assert driver.fire(run_id, "hold")
    assert driver.finish(run_id) == "failed"
    assert DONE[-3:] == ["undo third", "undo second", "undo first"]


def test_an_operator_compensates_a_held_run(driver: Driver) -> None:
    run_id = held(driver)

    driver.act(run_id, "compensate")
    assert driver.finish(run_id) == "failed"
    assert DONE[-1] == "undo first"


def test_a_step_that_failed_again_after_a_resume_is_held_again_and_undone_in_the_end(driver: Driver) -> None:
    run_id = held(driver)
    BEFORE["third"] = fails(1)

    driver.act(run_id, "resume")
    assert driver.finish(run_id) == "failed_held"
    driver.act(run_id, "compensate")
    assert driver.finish(run_id) == "failed"
    assert "undo third" in DONE


def test_what_was_resolved_is_undone_when_a_later_step_fails(driver: Driver) -> None:
    BEFORE["second"], BEFORE["third"] = fails(1), fails()
    run_id = driver.start("probe.line", on_failure="hold")
    assert driver.finish(run_id) == "failed_held"

    driver.act(run_id, "resolve")
    assert driver.finish(run_id) == "failed_held"
    driver.act(run_id, "compensate")
    assert driver.finish(run_id) == "failed"
    assert DONE[-3:] == ["undo third", "undo second", "undo first"]


def test_an_action_that_does_not_fit_names_those_that_do(driver: Driver) -> None:
    run_id = held(driver)

    with pytest.raises(InvalidStateTransition) as refused:
        driver.act(run_id, "unpause")
    assert refused.value.details["allowedActions"] == ["compensate", "resolve", "resume", "skip"]


def test_only_a_failed_step_can_be_resumed(driver: Driver) -> None:
    run_id = held(driver)

    with pytest.raises(ValidationFailed, match="'first' is not a failed step"):
        driver.act(run_id, "resume", step="first")


def test_an_unknown_action_is_refused(driver: Driver) -> None:
    with pytest.raises(ValidationFailed, match="'explode' is not one of"):
        driver.act(held(driver), "explode")


@pytest.mark.parametrize("action", ["resume", "skip", "compensate"])
def test_the_time_that_a_run_was_held_is_kept_apart(driver: Driver, action: str) -> None:
    run_id = held(driver)
    since = driver.run(run_id)["waiting_on"]["since"] - 60_000
    change: RunRow = {"waiting_on": {**driver.run(run_id)["waiting_on"], "since": since}}
    driver.db.write(lambda tx: runs.change_run(tx, run_id, change))

    driver.act(run_id, action)
    driver.finish(run_id)
    assert 60_000 <= driver.run(run_id)["held_ms"] < 120_000
