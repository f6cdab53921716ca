"""Cancelling a run in each state, gracefully, for good, or at once."""

from collections.abc import Callable

import pytest

from app.domain.errors import InvalidStateTransition, StepError
from tasks.step import Again
from tests.support.driver import Driver
from tests.support.probes import BEFORE, DONE, POLLS, fails


def queued(driver: Driver) -> str:
    return driver.start("probe.line")


def waiting_to_retry(driver: Driver) -> str:
    BEFORE["second"] = fails(error=StepError)
    run_id = driver.start("probe.line")
    driver.drain()
    return run_id


def suspended(driver: Driver) -> str:
    POLLS.append(Again("installing"))
    run_id = driver.start("probe.job")
    driver.drain()
    return run_id


def between_steps(driver: Driver) -> str:
    run_id = driver.start("probe.line")
    driver.deliver()
    return run_id


def paused(driver: Driver) -> str:
    run_id = between_steps(driver)
    driver.act(run_id, "pause")
    return run_id


def held(driver: Driver) -> str:
    BEFORE["third"] = fails()
    run_id = driver.start("probe.line", on_failure="hold")
    driver.finish(run_id)
    return run_id


def blocked(driver: Driver) -> str:
    BEFORE["once"] = fails(error=StepError)
    run_id = driver.start("probe.once")
    driver.finish(run_id)
    return run_id


def compensating(driver: Driver) -> str:
    BEFORE["third"], BEFORE["undo third"] = fails(), fails(1, StepError)
    run_id = driver.start("probe.line")
    driver.drain()
    return run_id


BACK = ["undo second", "undo first"]
STATES: list[tuple[str, Callable[[Driver], str], list[str]]] = [
    ("queued", queued, []),
    ("waiting", waiting_to_retry, BACK),
    ("waiting", suspended, ["abort job", "undo first"]),
    ("running", between_steps, BACK),
    ("paused", paused, BACK),
    ("failed_held", held, ["undo third", *BACK]),
    ("blocked", blocked, ["undo first"]),
]


@pytest.mark.parametrize(
    ("status", "reach", "back"), STATES, ids=lambda value: getattr(value, "__name__", None)
)
def test_a_cancelled_run_undoes_what_it_did(
    driver: Driver, status: str, reach: Callable[[Driver], str], back: list[str]
) -> None:
    run_id = reach(driver)
    assert driver.status(run_id) == status
    DONE.clear()

    driver.cancel(run_id, reason="not needed")
    assert driver.finish(run_id) == "cancelled"
    assert back == DONE


@pytest.mark.parametrize(
    ("status", "reach", "back"), STATES, ids=lambda value: getattr(value, "__name__", None)
)
def test_an_abandoned_run_ends_as_it_is(
    driver: Driver, status: str, reach: Callable[[Driver], str], back: list[str]
) -> None:
    run_id = reach(driver)
    DONE.clear()

    driver.cancel(run_id, mode="abandon")
    driver.drain()
    assert driver.status(run_id) == "cancelled"
    assert DONE == []


def test_a_run_that_waits_for_its_lock_leaves_the_line(driver: Driver) -> None:
    holder = driver.start("probe.locked", resource_id="p1")
    waiter = driver.start("probe.locked", resource_id="p1", on_conflict="queue")

    driver.cancel(waiter)
    assert driver.status(waiter) == "cancelled"
    assert driver.finish(holder) == "completed"
    assert driver.holder("probe/p1") is None


def test_a_running_step_ends_before_the_run_turns_back(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    seen: list[str] = []

    def cancel(ctx: object) -> None:
        driver.cancel(run_id)
        seen.append(driver.status(run_id))

    BEFORE["first"] = cancel
    assert driver.finish(run_id) == "cancelled"
    assert seen == ["cancelling"]
    assert DONE == ["first", "undo first"]


def test_a_step_hears_of_the_cancel(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    answers: list[bool] = []

    def cancel(ctx: object) -> None:
        answers.append(ctx.cancelled())  # type: ignore[attr-defined]
        driver.cancel(run_id)
        answers.append(ctx.cancelled())  # type: ignore[attr-defined]

    BEFORE["first"] = cancel
    driver.finish(run_id)
    assert answers == [False, True]


def test_a_step_that_fails_while_its_run_stops_is_not_tried_again(driver: Driver) -> None:
    run_id = driver.start("probe.line")

    def cancel_and_fail(_ctx: object) -> None:
        driver.cancel(run_id)
        raise StepError("and now this")

    BEFORE["first"] = cancel_and_fail
    assert driver.finish(run_id) == "cancelled"
    assert DONE == ["first", "undo first"]


def test_a_killed_step_is_undone_at_once_and_its_late_result_is_fenced(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    BEFORE["second"] = lambda _ctx: driver.cancel(run_id, mode="kill")

    assert driver.finish(run_id) == "cancelled"
    assert driver.step(run_id, "second")["status"] == "cancelled"
    assert "step.fenced:second" in driver.events(run_id)
    assert DONE == ["first", "second", "undo second", "undo first"]


def test_an_abandoned_running_step_leaves_its_result_and_nothing_is_undone(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    BEFORE["second"] = lambda _ctx: driver.cancel(run_id, mode="abandon")

    assert driver.finish(run_id) == "cancelled"
    assert driver.step(run_id, "second")["status"] == "completed"
    assert DONE == ["first", "second"]


def test_a_graceful_cancel_may_become_a_kill(driver: Driver) -> None:
    run_id = driver.start("probe.line")

    def twice(_ctx: object) -> None:
        driver.cancel(run_id)
        driver.cancel(run_id, mode="kill")

    BEFORE["second"] = twice
    assert driver.finish(run_id) == "cancelled"
    assert driver.step(run_id, "second")["status"] == "cancelled"


@pytest.mark.parametrize("mode", ["graceful", "abandon", "kill"])
def test_cancelling_a_run_that_turns_back_changes_nothing(driver: Driver, mode: str) -> None:
    run_id = compensating(driver)
    before = driver.events(run_id)

    driver.cancel(run_id, mode=mode)
    assert driver.events(run_id) == before
    assert driver.finish(run_id) == "failed"


def test_cancelling_twice_is_cancelling_once(driver: Driver) -> None:
    run_id = driver.start("probe.line")

    def twice(_ctx: object) -> None:
        driver.cancel(run_id)
        driver.cancel(run_id)

    BEFORE["first"] = twice
    assert driver.finish(run_id) == "cancelled"
    assert driver.events(run_id).count("run.cancel_requested") == 1
    assert DONE == ["first", "undo first"]


@pytest.mark.parametrize("mode", ["graceful", "abandon", "kill"])
def test_what_has_ended_cannot_be_cancelled(driver: Driver, mode: str) -> None:
    run_id = driver.start("probe.line")
    driver.finish(run_id)

    with pytest.raises(InvalidStateTransition):
        driver.cancel(run_id, mode=mode)


def test_a_cancel_during_the_last_step_turns_the_run_back(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    BEFORE["third"] = lambda _ctx: driver.cancel(run_id)

    assert driver.finish(run_id) == "cancelled"
    assert DONE == ["first", "second", "third", "undo third", "undo second", "undo first"]


def test_a_cancelled_run_frees_its_lock_after_it_has_turned_back(driver: Driver) -> None:
    run_id = driver.start("probe.locked", resource_id="p1")
    driver.deliver()

    driver.cancel(run_id)
    assert driver.holder("probe/p1") == run_id
    driver.finish(run_id)
    assert driver.holder("probe/p1") is None


def test_a_run_that_was_to_be_held_turns_back_when_it_is_cancelled(driver: Driver) -> None:
    run_id = driver.start("probe.line", on_failure="hold")

    def cancel_and_fail(_ctx: object) -> None:
        driver.cancel(run_id)
        raise StepError("and now this")

    BEFORE["second"] = cancel_and_fail
    assert driver.finish(run_id) == "cancelled"
    assert DONE[-1] == "undo first"


@pytest.mark.parametrize("mode", ["graceful", "kill"])
def test_members_that_run_end_before_their_run_turns_back(driver: Driver, mode: str) -> None:
    run_id = driver.start("probe.group")
    BEFORE["third"] = lambda _ctx: driver.cancel(run_id, mode=mode)

    assert driver.finish(run_id) == "cancelled"
    assert "undo third" in DONE
    assert DONE[-1] == "undo first"


def test_a_run_that_never_started_has_no_start_and_no_duration(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    driver.cancel(run_id)
    row = driver.run(run_id)
    assert (row["status"], row["started_at"]) == ("cancelled", None)
    assert row["completed_at"] is not None
