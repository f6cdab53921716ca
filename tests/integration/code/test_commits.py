"""What a code workflow costs: commits and messages, counted; and that a long history is read quickly."""

import time
from typing import Any

import pytest

from app.record.fast_path import transition
from app.record.session import Database
from tests.integration.code.flows import note, unnote
from tests.support.driver import Driver
from tests.support.growth import MOST, TIMES, TRIES
from windlass import workflow

STEPS = 20


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every commit from now on: by one guarded statement, or under the run's lock."""
    made: list[str] = []
    at_once, locked = transition.write, Database.transaction

    def write(*args: Any, **how: Any) -> Any:
        made.append("at once")
        return at_once(*args, **how)

    def begin(db: Database) -> Any:
        made.append("locked")
        return locked(db)

    monkeypatch.setattr(transition, "write", write)
    monkeypatch.setattr(Database, "transaction", begin)
    return made


@workflow("plain-steps")
def plain_steps(ctx: Any, count: int) -> None:
    for number in range(count):
        ctx.step("work", note, number)


@workflow("careful-steps")
def careful_steps(ctx: Any, count: int) -> None:
    for number in range(count):
        ctx.step("work", note, number, undo=unnote)


@workflow("waits-in-between")
def waits_in_between(ctx: Any) -> None:
    ctx.step("before", note, "before")
    ctx.wait_for_signal("go")
    ctx.step("after", note, "after")


@pytest.mark.parametrize("count", [1, STEPS])
def test_plain_steps_cost_a_commit_each_and_one_for_the_advance(
    driver: Driver, commits: list[str], count: int
) -> None:
    run_id = driver.trigger(plain_steps, count)
    commits.clear()
    driver.drain()
    assert driver.status(run_id) == "completed"
    assert (commits, driver.published) == (["at once"] * (count + 1), 1)


def test_steps_with_an_intent_cost_two(driver: Driver, commits: list[str]) -> None:
    run_id = driver.trigger(careful_steps, STEPS)
    commits.clear()
    driver.drain()
    assert driver.status(run_id) == "completed"
    assert len(commits) <= 2 * STEPS + 1


def test_a_wait_is_one_commit_with_the_result_before_it(driver: Driver, commits: list[str]) -> None:
    run_id = driver.trigger(waits_in_between)
    commits.clear()
    driver.drain()
    assert commits == ["at once", "locked"]
    driver.signal(run_id, "go", None)
    commits.clear()
    driver.drain()
    assert (driver.status(run_id), commits) == ("completed", ["at once", "at once"])


@workflow("long-history")
def long_history(ctx: Any, steps: int) -> int:
    done = [ctx.step("work", lambda n=n: {"n": n, "text": "x" * 100}) for n in range(steps)]
    for _ in range(TRIES):
        ctx.wait_for_signal("go")
    return len(done)


def replay_s(driver: Driver, steps: int) -> float:
    """Processor time of one replay of so many steps."""
    run_id = driver.trigger(long_history, steps)
    driver.drain()
    took = []
    for _ in range(TRIES):
        driver.signal(run_id, "go", None)
        began = time.thread_time()
        driver.drain()
        took.append(time.thread_time() - began)
    assert driver.result(run_id) == steps
    return min(took)


def test_a_longer_history_is_replayed_in_proportion_to_its_length(driver: Driver) -> None:
    assert replay_s(driver, 60 * TIMES) < MOST * replay_s(driver, 60)
