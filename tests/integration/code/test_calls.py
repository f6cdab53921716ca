"""Hooks, events, values and fresh starts; keys and ids under which a run is started."""

from typing import Any

import pytest

from app.auth.tokens import hook_hash
from app.domain.errors import Conflict, Gone, InvalidStateTransition, NotFound
from app.engine.code import emit
from app.engine.code.start import CodeOrder, start
from tests.integration.code.flows import DONE, note
from tests.support.driver import Driver
from windlass import workflow


@workflow("opens-a-hook")
def opens_a_hook(ctx: Any) -> Any:
    hook = ctx.create_hook("approval", "approve", {"document": 7})
    ctx.step("mail", note, hook.token)
    return [ctx.wait_for_hook(hook, timeout="3d"), hook.action]


def test_whoever_has_the_token_ends_the_wait_once(driver: Driver) -> None:
    run_id = driver.trigger(opens_a_hook)
    driver.drain()
    hashed = hook_hash(DONE[0])
    assert driver.call_hook(hashed, {"approved": True})["runId"] == run_id
    driver.call_hook(hashed, {"approved": True})
    with pytest.raises(Gone):
        driver.call_hook(hashed, {"approved": False})
    assert (driver.finish(run_id), driver.result(run_id)) == ("completed", [{"approved": True}, "approve"])


def test_a_hook_may_be_called_before_anybody_waits(driver: Driver) -> None:
    run_id = driver.trigger(calls_early)
    CALL.append(lambda token: driver.call_hook(hook_hash(token), "early"))
    assert (driver.finish(run_id), driver.result(run_id)) == ("completed", "early")
    CALL.clear()


CALL: list[Any] = []


@workflow("calls-early")
def calls_early(ctx: Any) -> Any:
    hook = ctx.create_hook("approval")
    ctx.step("call", lambda: bool(CALL[0](hook.token)))
    return ctx.wait_for_hook(hook)


def test_hooks_die_with_their_run(driver: Driver) -> None:
    run_id = driver.trigger(opens_a_hook)
    driver.drain()
    driver.cancel(run_id)
    with pytest.raises(Gone):
        driver.call_hook(hook_hash(DONE[0]), None)


def test_no_token_is_stored_in_clear(driver: Driver) -> None:
    run_id = driver.trigger(opens_a_hook)
    driver.drain()
    said = repr([driver.run(run_id), driver.step(run_id, "approval"), driver.step(run_id, "main")])
    told = [row for row in driver.log(run_id) if row["step"] != "mail"]  # Whose result it is, on purpose.
    assert DONE[0] not in said + repr(told)


@workflow("tells")
def tells(ctx: Any) -> Any:
    ctx.emit("begun", {"n": 1})
    ctx.sleep("1s")
    ctx.emit("begun", {"n": 2})


def test_events_of_the_function_are_told_once_and_in_order(driver: Driver) -> None:
    run_id = driver.trigger(tells)
    driver.finish(run_id)
    told = [row["payload"] for row in driver.log(run_id) if row["type"] == "user.event"]
    assert [(one["eventType"], one["payload"]) for one in told] == [("begun", {"n": 1}), ("begun", {"n": 2})]


def test_a_client_may_tell_something_until_the_end(driver: Driver) -> None:
    run_id = driver.trigger(tells)
    driver.under_lock(run_id, lambda j: emit.emit(j, "mine", [1], actor="usr_test", correlation_id="c"))
    driver.finish(run_id)
    with pytest.raises(InvalidStateTransition):
        driver.under_lock(run_id, lambda j: emit.emit(j, "mine", [2], actor="usr_test"))
    assert driver.events(run_id).count("user.event") == 3


@workflow("remembers")
def remembers(ctx: Any) -> Any:
    def values() -> list[Any]:
        return [ctx.now().isoformat(), ctx.uuid(), ctx.random(), ctx.uuid()]

    before = values()
    SEEN.append(before)
    ctx.sleep("1s")
    return before


SEEN: list[Any] = []


def test_values_are_the_same_ever_after(driver: Driver) -> None:
    SEEN.clear()
    run_id = driver.trigger(remembers)
    driver.finish(run_id)
    assert [driver.result(run_id)] * 2 == SEEN
    assert len(set(map(str, SEEN[0]))) == 4


@workflow("counts-down")
def counts_down(ctx: Any, left: int, done: bool = False) -> Any:
    ctx.step("count", note, left)
    if left:
        ctx.restart(left - 1, done=not left - 1)
    return done


def test_a_run_goes_on_as_a_fresh_one(driver: Driver) -> None:
    run_id = driver.trigger(counts_down, 2)
    driver.drain()
    ids = [run_id]
    while (driver.run(ids[-1])["output"] or {}).get("restartedAs"):
        ids.append(driver.run(ids[-1])["output"]["restartedAs"])
    assert (DONE, len(ids), driver.result(ids[-1])) == ([2, 1, 0], 3, True)
    assert [driver.status(one) for one in ids] == ["completed"] * 3


def order(**how: Any) -> CodeOrder:
    return CodeOrder(workflow="counts-down", args=[0], **how)


def test_the_same_key_is_the_same_run(driver: Driver) -> None:
    driver.announce(counts_down)
    first, new = start(driver.db, order(idempotency_key="k"), "usr_test")
    second, again = start(driver.db, order(idempotency_key="k"), "usr_test")
    assert (new, again, first.id) == (True, False, second.id)
    with pytest.raises(Conflict):
        start(driver.db, CodeOrder(workflow="counts-down", args=[1], idempotency_key="k"), "usr_test")
    driver.publish(first.messages)
    driver.drain()


def test_an_id_is_taken_once(driver: Driver) -> None:
    driver.announce(counts_down)
    made, _ = start(driver.db, order(run_id="mine"), "usr_test")
    driver.publish(made.messages)
    assert (made.id, driver.finish("mine")) == ("mine", "completed")
    with pytest.raises(Conflict):
        start(driver.db, CodeOrder(workflow="counts-down", args=[3], run_id="mine"), "usr_test")


def test_a_workflow_that_nobody_announced_is_not_there(driver: Driver) -> None:
    with pytest.raises(NotFound, match="counts-down"):
        start(driver.db, order(version="99"), "usr_test")
