"""Steps of code workflows: done once, kept, given back."""

from typing import Any

import pytest

from tests.driver import Driver
from windlass import workflow

DONE: list[Any] = []


@pytest.fixture(autouse=True)
def nothing_done() -> None:
    DONE.clear()


def note(what: Any) -> Any:
    DONE.append(what)
    return what


@workflow("three-steps")
def three_steps(ctx: Any, first: str) -> list[Any]:
    return [ctx.step("note", note, first), ctx.step("note", note, "second"), ctx.step("other", note, 3)]


def test_steps_are_done_in_order_and_their_results_returned(driver: Driver) -> None:
    run_id = driver.trigger(three_steps, "first")
    assert driver.finish(run_id) == "completed"
    assert driver.result(run_id) == DONE == ["first", "second", 3]
    assert list(driver.steps(run_id)) == ["main", "note", "note#2", "other"]


def test_a_worker_that_is_lost_leaves_what_was_done(driver: Driver) -> None: ...
