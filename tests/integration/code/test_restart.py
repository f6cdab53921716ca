"""A run that goes on as a fresh one takes along what others sent, and is found under its first id."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.auth.keys import Principal
from app.auth.tokens import hook_hash
from app.config import load
from app.domain.errors import Conflict, InvalidStateTransition
from app.services import workflows
from app.services.context import AppContext
from app.wiring import wire
from tests.integration.code.flows import DONE, note
from tests.support.driver import Driver
from windlass import workflow

SOMEBODY = Principal(name="test", scopes=frozenset())


@workflow("adds-up")
def adds_up(ctx: Any, total: int, rounds: int) -> Any:
    total += ctx.wait_for_signal("add")
    ctx.step("add", note, total)
    if rounds > 1:
        ctx.restart(total, rounds - 1)
    return total


@pytest.fixture
def world(driver: Driver, tmp_path: Path) -> AppContext:
    """The services, on the engine of this test."""
    made = wire(load({}, database_url="sqlite://", state_dir=str(tmp_path)))
    return replace(made, db=driver.db, publish=driver.publish)


def last(driver: Driver, run_id: str) -> str:
    """The run that goes on in place of this one."""
    return str(driver.db.read(lambda tx: workflows.known(tx, run_id))["id"])


def test_signals_that_were_accepted_are_taken_by_the_runs_that_follow(driver: Driver) -> None:
    run_id = driver.trigger(adds_up, 0, 5)
    for number in (1, 2, 3, 4, 5):
        driver.signal(run_id, "add", number)
    driver.drain()
    assert DONE == [1, 3, 6, 10, 15]
    assert (driver.status(run_id), driver.result(last(driver, run_id))) == ("completed", 15)


def test_a_signal_to_the_first_id_reaches_the_run_that_goes_on(driver: Driver, world: AppContext) -> None:
    run_id = driver.trigger(adds_up, 0, 3)
    for number in (1, 2, 3):
        driver.drain()
        workflows.signal(world, SOMEBODY, run_id, "add", number, key=f"k{number}")
    driver.drain()
    with pytest.raises(InvalidStateTransition, match="completed"):
        workflows.signal(world, SOMEBODY, run_id, "add", 4)
    assert driver.result(last(driver, run_id)) == 6


def test_the_same_key_is_the_same_signal_in_all_of_them(driver: Driver, world: AppContext) -> None:
    run_id = driver.trigger(adds_up, 0, 2)
    first = workflows.signal(world, SOMEBODY, run_id, "add", 1, key="k")
    driver.drain()
    assert last(driver, run_id) != run_id
    assert workflows.signal(world, SOMEBODY, run_id, "add", 1, key="k") == first
    with pytest.raises(Conflict):
        workflows.signal(world, SOMEBODY, run_id, "add", 2, key="k")
    assert driver.status(last(driver, run_id)) == "waiting"


def test_a_cancel_and_a_note_reach_the_run_that_goes_on(driver: Driver, world: AppContext) -> None:
    run_id = driver.trigger(adds_up, 0, 2)
    workflows.change(world, SOMEBODY, run_id, {"execution_context": {"owner": "a"}})
    driver.signal(run_id, "add", 1)
    driver.drain()
    fresh = last(driver, run_id)
    assert driver.run(fresh)["context"] == {"owner": "a"}
    assert workflows.cancel(world, SOMEBODY, run_id)["id"] == fresh
    driver.drain()
    assert [driver.status(one) for one in (run_id, fresh)] == ["completed", "cancelled"]


@workflow("opens-and-restarts")
def opens_and_restarts(ctx: Any, opened: bool) -> Any:
    if not opened:
        hook = ctx.create_hook("approval")
        ctx.step("mail", note, hook.token)
        ctx.wait_for_signal("go")
        ctx.restart(True)
    return ctx.wait_for_signal("approval")


@pytest.mark.parametrize("early", [True, False])
def test_an_open_hook_goes_with_the_run(driver: Driver, early: bool) -> None:
    run_id = driver.trigger(opens_and_restarts, False)
    driver.drain()
    if early:
        driver.call_hook(hook_hash(DONE[0]), "yes")
    driver.signal(run_id, "go", None)
    driver.drain()
    if not early:
        driver.call_hook(hook_hash(DONE[0]), "yes")
    driver.drain()
    assert driver.result(last(driver, run_id)) == "yes"
