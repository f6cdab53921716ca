"""Steps of code workflows: done once, kept, given back; attempts, limits of time, errors for the author."""

import threading
from typing import Any

import pytest

from tests.integration.code.flows import DONE, TROUBLE, Rejected, fails, note, unnote
from tests.support.driver import Driver
from windlass import StepFailed, workflow


@workflow("three-steps")
def three_steps(ctx: Any, first: str) -> list[Any]:
    return [ctx.step("note", note, first), ctx.step("note", note, "second"), ctx.step("other", note, 3)]


@workflow("with-retries")
def with_retries(ctx: Any, **options: Any) -> Any:
    return ctx.step("charge", note, "charge", retries=2, **options)


@workflow("catches")
def catches(ctx: Any) -> Any:
    try:
        ctx.step("charge", note, "charge")
    except Rejected as error:
        return ctx.step("refund", note, f"after {error}")


@workflow("quick", step_timeout="50ms")
def quick(ctx: Any) -> Any:
    return ctx.step("slow", note, "slow")


@workflow("reports")
def reports(ctx: Any) -> Any:
    ctx.step("charge", note, "charge", retries=1, retry_delay=0, on_error=lambda error: note(str(error)))


def test_steps_are_done_in_order_and_their_results_returned(driver: Driver) -> None:
    run_id = driver.trigger(three_steps, "first")
    assert driver.finish(run_id) == "completed"
    assert driver.result(run_id) == DONE == ["first", "second", 3]
    assert list(driver.steps(run_id)) == ["main", "note", "note#2", "other"]


def test_a_step_is_tried_as_often_as_it_may_be_with_the_delay_between(driver: Driver) -> None:
    TROUBLE["charge"] = fails(2)
    run_id = driver.trigger(with_retries, kwargs={"retry_delay": "3s"})
    driver.drain()
    row = driver.step(run_id, "charge")
    assert (driver.status(run_id), row["status"], row["attempt"]) == ("waiting", "retry_wait", 1)
    assert 2_000 < row["retry_at"] - row["started_at"] < 5_000
    assert (driver.finish(run_id), driver.result(run_id)) == ("completed", "charge")
    assert DONE == ["charge"] * 3


def test_retries_without_a_delay_are_made_in_the_same_advance(driver: Driver) -> None:
    TROUBLE["charge"] = fails(2)
    run_id = driver.trigger(with_retries, kwargs={"retry_delay": 0})
    driver.drain()
    assert (driver.status(run_id), driver.step(run_id, "main")["attempt"]) == ("completed", 1)
    assert driver.step(run_id, "charge")["attempt"] == 3


def test_an_uncaught_error_fails_the_run_with_its_type_its_message_and_its_step(driver: Driver) -> None:
    TROUBLE["charge"] = fails()
    run_id = driver.trigger(with_retries, kwargs={"retry_delay": 0})
    assert (driver.finish(run_id), DONE) == ("failed", ["charge"] * 3)
    run = driver.run(run_id)
    assert run["error_code"] == "WORKFLOW_FAILED"
    assert (run["error_message"], run["error_step"]) == ("Rejected: told to fail", "charge")


def test_a_caught_error_lets_the_run_go_on(driver: Driver) -> None:
    TROUBLE["charge"] = fails()
    run_id = driver.trigger(catches)
    assert (driver.finish(run_id), driver.result(run_id)) == ("completed", "after told to fail")
    assert driver.step(run_id, "charge")["status"] == "failed"


def test_the_callback_hears_of_the_last_failure_once(driver: Driver) -> None:
    TROUBLE["charge"] = fails()
    run_id = driver.trigger(reports)
    assert (driver.finish(run_id), DONE) == ("failed", ["charge", "charge", "told to fail"])


def test_a_body_that_takes_too_long_is_stopped(driver: Driver) -> None:
    TROUBLE["slow"] = lambda: threading.Event().wait(5)
    run_id = driver.trigger(quick)
    assert driver.finish(run_id) == "failed"
    assert driver.step(run_id, "slow")["error"]["code"] == "STEP_TIMED_OUT"


@workflow("result-too-large")
def result_too_large(ctx: Any, size: int) -> int:
    return len(ctx.step("big", lambda: "x" * size))


@pytest.mark.parametrize(("size", "status"), [(262_142, "completed"), (262_143, "failed")])
def test_a_result_is_kept_up_to_its_limit(driver: Driver, size: int, status: str) -> None:
    run_id = driver.trigger(result_too_large, size)
    assert driver.finish(run_id) == status
    if status == "failed":
        assert "262144" in driver.run(run_id)["error_message"].replace(",", "")


@workflow("undone")
def undone(ctx: Any) -> None:
    ctx.step("book", note, "book", undo=unnote)
    ctx.step("pay", note, "pay", undo=unnote)
    ctx.step("look", note, "look")
    raise Rejected("no more")


def test_what_a_failed_run_did_is_undone_newest_first(driver: Driver) -> None:
    run_id = driver.trigger(undone)
    assert (driver.finish(run_id), driver.run(run_id)["error_message"]) == ("failed", "Rejected: no more")
    assert DONE == ["book", "pay", "look", "undo pay", "undo book"]


def test_a_step_that_failed_may_have_happened_and_is_undone_without_a_result(driver: Driver) -> None:
    TROUBLE["pay"] = fails()
    run_id = driver.trigger(undone)
    assert driver.finish(run_id) == "failed"
    assert DONE == ["book", "pay", "undo pay?", "undo book"]


@workflow("never-fails")
def never_fails(ctx: Any) -> Any:
    try:
        ctx.step("charge", note, "charge")
    except StepFailed as error:
        return [error.key, error.message, error.type]


def test_a_failure_reads_the_same_when_it_is_replayed(driver: Driver) -> None:
    TROUBLE["charge"] = fails()
    run_id = driver.trigger(never_fails)
    driver.finish(run_id)
    where = "tests.integration.code.flows:Rejected"
    assert driver.result(run_id) == ["charge", "told to fail", where]
