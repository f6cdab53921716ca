"""A wait for a hook is ended by the token of this very hook, whatever else has its name."""

from typing import Any

from app.auth.tokens import hook_hash
from tests.integration.code.flows import DONE, note
from tests.support.driver import Driver
from windlass import SignalTimeout, workflow


@workflow("asks-twice")
def asks_twice(ctx: Any) -> Any:
    yes, no = ctx.create_hook("approval", "approve"), ctx.create_hook("approval", "reject")
    for hook in (yes, no):
        ctx.step("mail", note, hook.token)
    return [ctx.wait_for_hook(yes, timeout="1h", default="nobody"), ctx.wait_for_hook(no)]


def test_another_hook_of_the_same_name_and_a_signal_do_not_end_the_wait(driver: Driver) -> None:
    run_id = driver.trigger(asks_twice)
    driver.drain()
    yes, no = DONE
    driver.call_hook(hook_hash(no), "rejected")
    driver.signal(run_id, "approval", "forged")
    driver.drain()
    assert driver.status(run_id) == "waiting"
    driver.call_hook(hook_hash(yes), "approved")
    driver.drain()
    assert driver.result(run_id) == ["approved", "rejected"]


@workflow("asks-again")
def asks_again(ctx: Any) -> Any:
    for attempt in (1, 2):
        hook = ctx.create_hook("approval")
        ctx.step("mail", note, hook.token)
        try:
            return [attempt, ctx.wait_for_hook(hook, timeout="1h")]
        except SignalTimeout as late:
            note(str(late))
    return None


def test_a_stale_token_does_not_answer_the_hook_that_took_its_place(driver: Driver) -> None:
    run_id = driver.trigger(asks_again)
    driver.drain()
    assert driver.fire(run_id, "deadline")
    driver.drain()
    first, late, second = DONE[0], DONE[1], DONE[-1]
    driver.call_hook(hook_hash(first), "stale")
    driver.drain()
    assert (driver.status(run_id), late) == ("waiting", "nobody executed the hook 'approval' within 1 h")
    driver.call_hook(hook_hash(second), "fresh")
    driver.drain()
    assert driver.result(run_id) == [2, "fresh"]


@workflow("gives-up")
def gives_up(ctx: Any) -> Any:
    try:
        return ctx.wait_for_signal("go", timeout="300ms")
    except SignalTimeout as late:
        return str(late)


def test_a_signal_that_did_not_come_tells_how_long_it_was_waited_for(driver: Driver) -> None:
    run_id = driver.trigger(gives_up)
    driver.drain()
    driver.fire(run_id, "deadline")
    assert (driver.finish(run_id), driver.result(run_id)) == (
        "completed",
        "no signal 'go' came within 300 ms",
    )
