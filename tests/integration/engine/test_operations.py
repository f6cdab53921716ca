"""Long operations: suspended between polls, woken by timers and hooks, limited, aborted."""

from typing import Any

import pytest

from app.domain.errors import Gone, NotFound, Permanent, StepError
from tasks.step import Again
from tests.support.driver import Driver
from tests.support.probes import BEFORE, DONE, POLLS, fails


def suspended(driver: Driver, *polls: Again, **order: Any) -> str:
    """A run whose operation is under way."""
    POLLS.extend(polls or [Again("installing")] * 3)
    run_id = driver.start("probe.job", **order)
    driver.drain()
    assert driver.status(run_id) == "waiting"
    return run_id


def test_an_operation_holds_no_worker_between_polls(driver: Driver) -> None:
    run_id = suspended(driver)

    assert driver.step(run_id, "job")["lease_until"] is None
    assert driver.run(run_id)["waiting_on"]["kind"] == "poll"
    assert driver.finish(run_id) == "completed"
    assert DONE == ["first", "job", "poll", "poll", "poll", "poll", "third"]


def test_the_body_runs_once_and_polls_are_no_attempts(driver: Driver) -> None:
    run_id = suspended(driver)

    driver.finish(run_id)
    step = driver.step(run_id, "job")
    assert (step["attempt"], DONE.count("job")) == (1, 1)


def test_what_a_poll_says_can_be_read(driver: Driver) -> None:
    run_id = suspended(driver)

    driver.fire(run_id)
    driver.drain()
    assert driver.run(run_id)["waiting_on"]["progress"] == "installing"
    driver.finish(run_id)


def test_a_hook_ends_the_wait(driver: Driver) -> None:
    run_id = suspended(driver)
    token = driver.open_hook(run_id, "job")

    driver.call_hook(token, {"ok": True})
    driver.drain()
    assert driver.status(run_id) == "completed"
    assert driver.run(run_id)["output"]["job_done"] == {"ok": True}


def test_a_hook_that_is_called_before_the_operation_has_suspended_is_not_lost(driver: Driver) -> None:
    token: list[str] = []

    def open_and_call(ctx: object) -> None:
        token.append(driver.open_hook(run_id, "job"))
        driver.call_hook(token[0], {"early": True})

    BEFORE["job"] = open_and_call
    run_id = driver.start("probe.job")
    POLLS.append(Again())
    driver.drain()
    assert driver.status(run_id) == "completed"
    assert driver.run(run_id)["output"]["job_done"] == {"early": True}


def test_a_hook_that_is_called_before_its_step_began_is_kept_for_it(driver: Driver) -> None:
    run_id = driver.start("probe.job")
    token = driver.open_hook(run_id, "job")
    driver.call_hook(token, {"early": True})

    driver.drain()
    assert driver.run(run_id)["output"]["job_done"] == {"early": True}


def test_a_hook_that_is_called_while_a_poll_runs_is_not_lost(driver: Driver) -> None:
    run_id = suspended(driver, Again(), Again())
    token = driver.open_hook(run_id, "job")
    BEFORE["poll"] = lambda _ctx: driver.call_hook(token, {"now": 1})

    driver.fire(run_id)
    driver.drain()
    assert driver.status(run_id) == "completed"


def test_the_same_call_of_a_hook_gets_the_same_answer(driver: Driver) -> None:
    run_id = suspended(driver)
    token = driver.open_hook(run_id, "job")

    assert driver.call_hook(token, {"a": 1, "b": 2}) == driver.call_hook(token, {"b": 2, "a": 1})
    driver.finish(run_id)
    assert driver.call_hook(token, {"a": 1, "b": 2})["runId"] == run_id
    assert driver.events(run_id).count("hook.executed:job") == 1


def test_another_call_of_a_used_hook_is_refused(driver: Driver) -> None:
    run_id = suspended(driver)
    token = driver.open_hook(run_id, "job")
    driver.call_hook(token, {"a": 1})

    with pytest.raises(Gone):
        driver.call_hook(token, {"a": 2})
    driver.finish(run_id)


def test_a_hook_of_a_run_that_ended_is_gone(driver: Driver) -> None:
    run_id = suspended(driver)
    token = driver.open_hook(run_id, "job")
    driver.finish(run_id)

    with pytest.raises(Gone):
        driver.call_hook(token, {})


def test_an_unknown_hook_is_not_found(driver: Driver) -> None:
    with pytest.raises(NotFound):
        driver.call_hook("tok_unknown", {})


def test_an_operation_that_misses_its_deadline_fails_and_is_aborted(driver: Driver) -> None:
    run_id = suspended(driver)

    assert driver.fire(run_id, "deadline")
    assert driver.finish(run_id) == "failed"
    assert driver.run(run_id)["error_code"] == "STEP_TIMED_OUT"
    assert DONE[-2:] == ["abort job", "undo first"]


def test_a_deadline_that_passes_while_a_poll_runs_waits_for_its_word(driver: Driver) -> None:
    run_id = suspended(driver, Again(), Again(), Again())
    BEFORE["poll"] = lambda _ctx: driver.fire(run_id, "deadline") and None

    driver.fire(run_id)
    driver.drain()
    assert driver.finish(run_id) == "failed"
    assert driver.run(run_id)["error_code"] == "STEP_TIMED_OUT"


def test_a_poll_that_fails_is_tried_again_without_starting_anew(driver: Driver) -> None:
    run_id = suspended(driver)
    BEFORE["poll"] = fails(1, StepError)

    driver.fire(run_id)
    driver.drain()
    assert driver.step(run_id, "job")["status"] == "retry_wait"
    assert driver.finish(run_id) == "completed"
    assert DONE.count("job") == 1


def test_polls_that_fail_now_and_then_never_exhaust_the_policy(driver: Driver) -> None:
    run_id = suspended(driver, *[Again()] * 6)
    for _ in range(3):
        BEFORE["poll"] = fails(2, StepError)
        for _ in range(3):
            driver.fire(run_id)
            driver.drain()
    BEFORE.clear()
    assert driver.finish(run_id) == "completed"


def test_an_operation_that_failed_is_aborted(driver: Driver) -> None:
    run_id = suspended(driver)
    BEFORE["poll"] = fails(error=Permanent)

    assert driver.finish(run_id) == "failed"
    assert DONE[-2:] == ["abort job", "undo first"]


def test_an_operation_that_ended_is_not_aborted(driver: Driver) -> None:
    BEFORE["third"] = fails()
    run_id = driver.start("probe.job")

    assert driver.finish(run_id) == "failed"
    assert "abort job" not in DONE


def test_a_held_operation_that_is_resumed_is_asked_again_under_a_new_deadline(driver: Driver) -> None:
    run_id = suspended(driver, on_failure="hold")
    driver.fire(run_id, "deadline")
    assert driver.status(run_id) == "failed_held"

    driver.act(run_id, "resume")
    assert driver.finish(run_id) == "completed"
    assert DONE.count("job") == 1


def test_a_cancel_while_a_poll_runs_aborts_the_operation(driver: Driver) -> None:
    run_id = suspended(driver)
    BEFORE["poll"] = lambda _ctx: driver.cancel(run_id) if driver.status(run_id) == "running" else None

    driver.fire(run_id)
    assert driver.finish(run_id) == "cancelled"
    assert DONE[-2:] == ["abort job", "undo first"]


def test_a_lost_worker_costs_an_operation_one_poll(driver: Driver) -> None:
    run_id = suspended(driver)
    left = [1]
    BEFORE["poll"] = lambda _ctx: driver.lose(run_id, "job") if left and left.pop() else None

    assert driver.finish(run_id) == "completed"
    assert DONE.count("job") == 1


def test_a_worker_lost_before_the_reference_was_kept_starts_the_operation_again(driver: Driver) -> None:
    run_id = driver.start("probe.job")
    left = [1]
    BEFORE["job"] = lambda _ctx: driver.lose(run_id, "job") if left and left.pop() else None

    assert driver.finish(run_id) == "completed"
    assert DONE.count("job") == 2
