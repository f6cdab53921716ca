"""What people do to runs of code workflows: pause, hold, resume, skip, resolve; and code that drifts."""

from typing import Any

import pytest

from app.worker.code import advance
from tests.integration.code.flows import DONE, TROUBLE, Killed, dies, fails, note, unnote
from tests.support.driver import Driver
from windlass import workflow
from windlass.workflow import Definition


@workflow("long-and-paused")
def long(ctx: Any) -> Any:
    first = ctx.step("one", note, "one", undo=unnote)
    both = ctx.parallel([ctx.call(name, note, name) for name in ("left", "right")])
    ctx.sleep("1h")
    return [first, *both, ctx.wait_for_signal("go"), ctx.step("two", note, "two")]


ALL = ["one", "left", "right", "yes", "two"]


def go_on(driver: Driver, run_id: str) -> None:
    """Let a paused run go, and see that it reaches its end."""
    assert driver.status(run_id) == "paused"
    driver.act(run_id, "unpause")
    if not driver.run(run_id)["completed_at"]:
        driver.signal(run_id, "go", "yes")
    assert (driver.finish(run_id), driver.result(run_id)) == ("completed", ALL)


def test_paused_before_it_began(driver: Driver) -> None:
    run_id = driver.trigger(long)
    driver.act(run_id, "pause")
    driver.drain()
    assert DONE == []
    go_on(driver, run_id)


def test_paused_while_a_body_runs(driver: Driver) -> None:
    run_id = driver.trigger(long)
    TROUBLE["one"] = lambda: driver.act(run_id, "pause")
    driver.drain()
    assert DONE == ["one"]
    go_on(driver, run_id)


def test_paused_before_its_members_began(driver: Driver) -> None:
    run_id = driver.trigger(long)
    driver.deliver()
    driver.act(run_id, "pause")
    driver.drain()
    assert DONE == ["one"]
    go_on(driver, run_id)


def test_paused_while_a_member_runs(driver: Driver) -> None:
    run_id = driver.trigger(long)
    TROUBLE["left"] = lambda: driver.act(run_id, "pause")
    driver.drain()
    assert DONE == ["one", "left"]
    go_on(driver, run_id)


def test_what_ends_in_a_pause_is_heard_after_it(driver: Driver) -> None:
    run_id = driver.trigger(long)
    driver.drain()
    driver.act(run_id, "pause")
    driver.fire(run_id, "sleep")
    driver.signal(run_id, "go", "yes")
    driver.drain()
    assert len(DONE) == 3
    driver.act(run_id, "unpause")
    assert (driver.finish(run_id), driver.result(run_id)) == ("completed", ALL)


def test_paused_while_it_waits_for_a_signal(driver: Driver) -> None:
    run_id = driver.trigger(long)
    driver.drain()
    driver.fire(run_id, "sleep")
    driver.drain()
    driver.act(run_id, "pause")
    go_on(driver, run_id)


def test_paused_while_the_last_body_runs(driver: Driver) -> None:
    run_id = driver.trigger(long)
    driver.signal(run_id, "go", "yes")
    TROUBLE["two"] = lambda: driver.act(run_id, "pause")
    assert driver.finish(run_id) == "paused"
    driver.act(run_id, "unpause")
    assert (driver.finish(run_id), driver.result(run_id)) == ("completed", ALL)


def test_a_paused_run_may_be_cancelled(driver: Driver) -> None:
    run_id = driver.trigger(long)
    driver.drain()
    driver.act(run_id, "pause")
    driver.cancel(run_id)
    assert (driver.finish(run_id), DONE[-1]) == ("cancelled", "undo one")


def test_a_worker_may_be_lost_in_a_pause(driver: Driver) -> None:
    run_id = driver.trigger(long)

    def both() -> None:
        TROUBLE.clear()
        driver.act(run_id, "pause")
        raise Killed

    TROUBLE["one"] = both
    with pytest.raises(Killed):
        driver.drain()
    driver.lose(run_id, "main")
    go_on(driver, run_id)


@workflow("pays")
def pays(ctx: Any) -> Any:
    ctx.step("book", note, "book", undo=unnote)
    return [ctx.step("pay", note, "pay", retries=1, retry_delay=0), ctx.step("send", note, "send")]


def held(driver: Driver, workflow_: Definition = pays) -> str:
    TROUBLE["pay"] = fails()
    run_id = driver.trigger(workflow_, on_failure="hold")
    assert driver.finish(run_id) == "failed_held"
    TROUBLE.clear()
    DONE.clear()
    return run_id


def test_a_held_run_keeps_what_it_has_and_goes_on_at_the_failed_step(driver: Driver) -> None:
    run_id = held(driver)
    driver.act(run_id, "resume")
    assert (driver.finish(run_id), driver.result(run_id)) == ("completed", ["pay", "send"])
    assert DONE == ["pay", "send"]


@pytest.mark.parametrize("action", ["skip", "resolve"])
def test_an_operator_may_stand_in_for_a_step(driver: Driver, action: str) -> None:
    run_id = held(driver)
    driver.act(run_id, action)
    assert (driver.finish(run_id), driver.result(run_id), DONE) == ("completed", [None, "send"], ["send"])


def test_a_held_run_may_be_compensated(driver: Driver) -> None:
    run_id = held(driver)
    driver.act(run_id, "compensate")
    assert (driver.finish(run_id), DONE) == ("failed", ["undo book"])


def test_a_hold_ends_in_time(driver: Driver) -> None:
    run_id = held(driver)
    driver.fire(run_id, "hold")
    assert (driver.finish(run_id), DONE) == ("failed", ["undo book"])


def test_the_whole_function_may_be_skipped(driver: Driver) -> None:
    run_id = held(driver)
    driver.act(run_id, "skip", step="main")
    assert (driver.finish(run_id), DONE) == ("completed", [])


@workflow("pays-together")
def pays_together(ctx: Any) -> Any:
    caught = None
    try:
        ctx.step("try", note, "try")
    except Exception as error:
        caught = str(error)
    calls = [ctx.call(name, note, name, undo=unnote) for name in ("pay", "other")]
    return [caught, *ctx.parallel(calls)]


def test_a_failed_member_is_done_again_and_nothing_else_is(driver: Driver) -> None:
    TROUBLE["try"] = fails()
    run_id = held(driver, pays_together)
    driver.act(run_id, "resume")
    assert (driver.finish(run_id), driver.result(run_id)) == ("completed", ["told to fail", "pay", "other"])
    assert DONE == ["pay"]


def test_an_operator_may_resolve_a_member(driver: Driver) -> None:
    run_id = held(driver, pays_together)
    driver.act(run_id, "resolve", step="pay")
    assert (driver.finish(run_id), driver.result(run_id), DONE) == ("completed", [None, None, "other"], [])


@workflow("fragile")
def fragile(ctx: Any) -> Any:
    return ctx.step("look", note, "pay")


@workflow("raises-a-child")
def raises_a_child(ctx: Any) -> Any:
    return ctx.run_child("fragile")


def test_a_failed_child_is_started_anew(driver: Driver) -> None:
    driver.announce(fragile)
    run_id = held(driver, raises_a_child)
    first = driver.step(run_id, "fragile")["ref"]
    driver.act(run_id, "resume")
    assert (driver.finish(run_id), driver.result(run_id)) == ("completed", "pay")
    assert driver.step(run_id, "fragile")["ref"] != first


@workflow("waits-or-fails")
def waits_or_fails(ctx: Any) -> Any:
    return ctx.wait_for_signal("go", timeout="1h")


def test_a_wait_that_was_too_short_is_waited_again(driver: Driver) -> None:
    run_id = driver.trigger(waits_or_fails, on_failure="hold")
    driver.drain()
    driver.fire(run_id, "deadline")
    assert driver.finish(run_id) == "failed_held"
    driver.act(run_id, "resume")
    driver.drain()
    driver.signal(run_id, "go", "at last")
    assert (driver.finish(run_id), driver.result(run_id)) == ("completed", "at last")


def test_a_held_run_of_which_something_ends_meanwhile(driver: Driver) -> None:
    TROUBLE["two"] = fails()
    run_id = driver.trigger(long, on_failure="hold")
    driver.signal(run_id, "go", "yes")
    assert driver.finish(run_id) == "failed_held"
    driver.signal(run_id, "go", "again")
    TROUBLE.clear()
    driver.act(run_id, "resume")
    assert (driver.finish(run_id), driver.result(run_id)) == ("completed", ALL)


@workflow("drifts")
def drifts(ctx: Any) -> Any:
    return DRIFT[0](ctx)


def as_written(ctx: Any) -> Any:
    ctx.step("one", note, "one", undo=unnote)
    ctx.sleep("1h")
    return ctx.step("two", note, "two")


def renamed(ctx: Any) -> Any:
    ctx.step("first", note, "one", undo=unnote)
    ctx.sleep("1h")
    return ctx.step("two", note, "two")


def removed(ctx: Any) -> Any:
    ctx.sleep("1h")
    return ctx.step("two", note, "two")


def shortened(ctx: Any) -> Any:
    return ctx.step("one", note, "one", undo=unnote)


DRIFT = [as_written]


@pytest.fixture
def drifting(driver: Driver) -> Any:
    yield driver
    DRIFT[0] = as_written


@pytest.mark.parametrize("other", [renamed, removed, shortened])
def test_code_that_is_not_that_of_the_history_blocks_until_it_is(drifting: Driver, other: Any) -> None:
    run_id = drifting.trigger(drifts)
    drifting.drain()
    DRIFT[0] = other
    assert (drifting.finish(run_id), DONE) == ("blocked", ["one"])
    run = drifting.run(run_id)
    assert run["error_code"] == "NONDETERMINISM"
    assert "one" in run["error_message"] or "sleep" in run["error_message"]
    DRIFT[0] = as_written
    drifting.act(run_id, "resume")
    assert (drifting.finish(run_id), drifting.result(run_id), DONE) == ("completed", "two", ["one", "two"])


def test_a_blocked_run_may_be_compensated(drifting: Driver) -> None:
    run_id = drifting.trigger(drifts)
    drifting.drain()
    DRIFT[0] = renamed
    drifting.finish(run_id)
    drifting.act(run_id, "compensate")
    assert (drifting.finish(run_id), DONE) == ("failed", ["one", "undo one"])


def test_drift_is_no_reason_to_undo_a_paused_run(drifting: Driver) -> None:
    run_id = drifting.trigger(drifts)
    drifting.drain()

    def pauses(ctx: Any) -> Any:
        drifting.act(run_id, "pause")
        return removed(ctx)

    DRIFT[0] = pauses
    drifting.finish(run_id)
    assert (drifting.status(run_id), DONE) == ("blocked", ["one"])


def test_a_worker_that_does_not_know_the_workflow_leaves_it_to_others(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = driver.trigger(pays)
    with monkeypatch.context() as patched:
        patched.setattr(advance, "definition", unknown)
        driver.drain()
    waiting = driver.run(run_id)["waiting_on"]
    assert (driver.status(run_id), waiting["kind"]) == ("waiting", "worker")
    assert waiting["error"]["code"] == "UNKNOWN_WORKFLOW"
    assert (driver.finish(run_id), driver.result(run_id)) == ("completed", ["pay", "send"])


def unknown(name: str, version: str) -> Definition:
    raise LookupError(name, version)


def test_a_poisoned_function_may_be_resumed(driver: Driver) -> None:
    TROUBLE["book"] = dies(3)
    run_id = driver.trigger(pays, on_failure="hold")
    for _ in range(3):
        with pytest.raises(Killed):
            driver.drain()
        driver.lose(run_id, "main")
    assert driver.status(run_id) == "failed_held"
    driver.act(run_id, "resume")
    assert driver.finish(run_id) == "completed"
