"""Retry of a code workflow: a new run that is given what still stands of the old one."""

from typing import Any

import pytest

from app.auth.tokens import hook_hash
from app.domain.errors import InvalidStateTransition, ValidationFailed
from tests.integration.code.flows import DONE, TROUBLE, fails, note, unnote
from tests.support.driver import Driver
from windlass import workflow


@workflow("inner")
def inner(ctx: Any) -> Any:
    return ctx.step("inner", note, "inner")


@workflow("outer")
def outer(ctx: Any, last: str = "last") -> Any:
    first = ctx.step("look", note, "look")
    try:
        ctx.step("try", note, "try")
    except Exception as error:
        first = str(error)
    ctx.sleep("1h")
    found = [first, ctx.wait_for_signal("go"), ctx.run_child("inner"), ctx.uuid()]
    found += ctx.parallel([ctx.call(name, note, name) for name in ("left", "right")])
    return [*found, ctx.step("pay", note, last, undo=unnote)]


WITHOUT_PAY = ["look", "try", "inner", "left", "right"]


@pytest.fixture
def failed(driver: Driver) -> str:
    driver.announce(inner)
    TROUBLE.update({"try": fails(), "last": fails()})
    run_id = driver.trigger(outer)
    driver.signal(run_id, "go", "yes")
    assert driver.finish(run_id) == "failed"
    assert DONE[-2:] == ["last", "undo last?"]
    TROUBLE.clear()
    DONE.clear()
    return run_id


def test_a_retry_from_the_start_does_everything_anew(driver: Driver, failed: str) -> None:
    again = driver.retry(failed)
    driver.signal(again, "go", "yes")
    assert (driver.finish(again), DONE) == ("completed", [*WITHOUT_PAY, "last"])
    assert driver.run(again)["retry_of"] == failed


@pytest.mark.parametrize("how", [{"from_step": "pay"}, {"earliest": True}])
def test_what_was_done_before_the_step_stands(driver: Driver, failed: str, how: Any) -> None:
    again = driver.retry(failed, **how)
    assert (driver.finish(again), DONE) == ("completed", ["last"])
    given = driver.result(again)
    assert [*given[:3], *given[4:]] == ["told to fail", "yes", "inner", "left", "right", "last"]
    assert driver.step(again, "left")["reused_from"] == failed


def test_a_retry_may_begin_at_any_call(driver: Driver, failed: str) -> None:
    again = driver.retry(failed, from_step="go")
    driver.drain()
    assert driver.run(again)["waiting_on"]["kind"] == "signal"
    driver.signal(again, "go", "no")
    assert (driver.finish(again), DONE) == ("completed", ["inner", "left", "right", "last"])


def test_a_retry_may_begin_within_a_fan_out(driver: Driver, failed: str) -> None:
    again = driver.retry(failed, from_step="right")
    assert (driver.finish(again), DONE) == ("completed", ["right", "last"])


def test_the_input_may_be_edited(driver: Driver, failed: str) -> None:
    again = driver.retry(failed, from_step="pay", edited={"kwargs": {"last": "other"}})
    assert (driver.finish(again), DONE) == ("completed", ["other"])
    with pytest.raises(ValidationFailed):
        driver.retry(failed, edited={"last": "other"})


def test_a_step_that_is_not_there_is_refused(driver: Driver, failed: str) -> None:
    with pytest.raises(ValidationFailed, match="look, try"):
        driver.retry(failed, from_step="nothing")


@workflow("books")
def books(ctx: Any) -> Any:
    ctx.step("book", note, "book", undo=unnote)
    ctx.step("tell", note, "tell")
    return ctx.step("pay", note, "pay", undo=unnote)


def test_what_was_undone_stands_in_the_way(driver: Driver) -> None:
    TROUBLE["pay"] = fails()
    run_id = driver.trigger(books)
    assert driver.finish(run_id) == "failed"
    with pytest.raises(InvalidStateTransition, match="earliest step possible is book"):
        driver.retry(run_id, from_step="pay")
    TROUBLE.clear()
    again = driver.retry(run_id, earliest=True)
    assert (driver.finish(again), DONE[-3:]) == ("completed", ["book", "tell", "pay"])


def test_the_retry_of_a_held_run_takes_over_what_it_has_to_undo(driver: Driver) -> None:
    TROUBLE["pay"] = fails()
    run_id = driver.trigger(books, on_failure="hold")
    assert driver.finish(run_id) == "failed_held"
    again = driver.retry(run_id, from_step="pay")
    assert driver.status(run_id) == "failed"
    assert driver.finish(again) == "failed_held"
    driver.act(again, "compensate")
    assert driver.finish(again) == "failed"
    assert DONE == ["book", "tell", "pay", "pay", "undo pay?", "undo book"]


def test_nothing_stands_of_a_run_that_had_not_begun(driver: Driver) -> None:
    run_id = driver.trigger(books)
    driver.cancel(run_id)
    again = driver.retry(run_id, earliest=True)
    assert (driver.finish(again), DONE) == ("completed", ["book", "tell", "pay"])


@workflow("decides")
def decides(ctx: Any) -> Any:
    seen = ctx.step("look", note, "look")
    if FIXED:
        return seen
    raise ValueError("a mistake in the code")


FIXED: list[bool] = []


def test_a_fixed_function_goes_on_with_all_that_was_done(driver: Driver) -> None:
    run_id = driver.trigger(decides)
    assert driver.finish(run_id) == "failed"
    FIXED.append(True)
    again = driver.retry(run_id, from_step="main")
    assert (driver.finish(again), driver.result(again), DONE) == ("completed", "look", ["look"])
    FIXED.clear()


def test_a_run_that_goes_on_cannot_be_retried(driver: Driver) -> None:
    run_id = driver.trigger(books)
    with pytest.raises(InvalidStateTransition):
        driver.retry(run_id)


@workflow("has-a-secret", secrets=("password",))
def has_a_secret(ctx: Any, password: Any) -> Any:
    return ctx.step("use", note, len(password.reveal()))


def test_a_secret_that_is_edited_is_not_stored_in_clear(driver: Driver) -> None:
    run_id = driver.trigger(has_a_secret, {"$secret": driver.capabilities.seal("old")})
    driver.cancel(run_id)
    again = driver.retry(run_id, edited={"args": ["hunter2!"]}, seal=driver.capabilities.seal)
    assert "hunter2!" not in repr([driver.run(again), driver.log(again)])
    assert (driver.finish(again), driver.result(again)) == ("completed", 8)


@workflow("asks-then-pays")
def asks_then_pays(ctx: Any) -> Any:
    hook = ctx.create_hook("approval")
    ctx.step("mail", note, hook.token)
    ctx.step("pay", note, "paid")
    return ctx.wait_for_hook(hook)


def asked(driver: Driver, on_failure: str) -> tuple[str, str]:
    """A run that failed after its hook was made, and the token that a client was given."""
    TROUBLE["paid"] = fails()
    run_id = driver.trigger(asks_then_pays, on_failure=on_failure)
    driver.drain()
    TROUBLE.clear()
    return run_id, hook_hash(DONE[0])


@pytest.mark.parametrize("on_failure", ["hold", "compensate"])
def test_the_token_of_a_hook_that_stands_reaches_the_retry(driver: Driver, on_failure: str) -> None:
    run_id, token = asked(driver, on_failure)
    again = driver.retry(run_id, from_step="pay")
    driver.drain()
    driver.call_hook(token, "yes")
    assert (driver.finish(again), driver.result(again)) == ("completed", "yes")


def test_what_a_held_run_was_sent_and_did_not_take_is_taken_by_its_retry(driver: Driver) -> None:
    run_id, token = asked(driver, "hold")
    driver.call_hook(token, "yes")
    again = driver.retry(run_id, from_step="pay")
    assert (driver.finish(again), driver.result(again)) == ("completed", "yes")


@workflow("pays-when-asked")
def pays_when_asked(ctx: Any) -> Any:
    hook = ctx.create_hook("approval")
    ctx.step("mail", note, hook.token)
    said = ctx.wait_for_hook(hook)
    return [said, ctx.step("pay", note, "paid")]


@pytest.mark.parametrize("begin", ["mail", "approval#2", "pay"])
def test_what_a_hook_was_called_with_counts_wherever_the_retry_begins(driver: Driver, begin: str) -> None:
    TROUBLE["paid"] = fails()
    run_id = driver.trigger(pays_when_asked)
    driver.drain()
    driver.call_hook(hook_hash(DONE[0]), "yes")
    assert driver.finish(run_id) == "failed"
    TROUBLE.clear()
    again = driver.retry(run_id, from_step=begin)
    assert (driver.finish(again), driver.result(again)) == ("completed", ["yes", "paid"])
