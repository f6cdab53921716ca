"""Workers that are lost in the middle of an advance: what is done stays done."""

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
from billiard import common

from tests.integration.code.flows import DONE, TROUBLE, Killed, dies, fails, note, unnote
from tests.support.driver import Driver
from windlass import workflow


@workflow("three-notes")
def three_notes(ctx: Any) -> list[Any]:
    return [ctx.step(name, note, name) for name in ("one", "two", "three")]


@workflow("careful")
def careful(ctx: Any) -> Any:
    return ctx.step("pay", note, "pay", at_most_once=True)


def killed(driver: Driver, run_id: str, key: str = "main") -> None:
    """Run links until a worker dies, and let its loss be found."""
    with pytest.raises(Killed):
        driver.drain()
    driver.lose(run_id, key)


def test_no_body_that_was_followed_by_another_is_run_again(driver: Driver) -> None:
    TROUBLE["three"] = dies()
    run_id = driver.trigger(three_notes)
    killed(driver, run_id)
    assert driver.finish(run_id) == "completed"
    assert DONE == ["one", "two", "three", "three"]


def test_a_worker_that_gets_on_between_its_losses_is_not_poisoned(driver: Driver) -> None:
    TROUBLE.update({name: dies(2) for name in ("one", "two", "three")})
    run_id = driver.trigger(three_notes)
    for _ in range(6):
        killed(driver, run_id)
    assert driver.finish(run_id) == "completed"
    assert DONE == ["one"] * 3 + ["two"] * 3 + ["three"] * 3


def test_a_body_that_kills_every_worker_fails_the_run(driver: Driver) -> None:
    TROUBLE["two"] = dies(10)
    run_id = driver.trigger(three_notes)
    for _ in range(3):
        killed(driver, run_id)
    assert (driver.finish(run_id), driver.run(run_id)["error_code"]) == ("failed", "WORKER_LOST")


def test_a_step_that_must_not_be_repeated_is_not(driver: Driver) -> None:
    TROUBLE["pay"] = dies()
    run_id = driver.trigger(careful)
    killed(driver, run_id)
    assert (driver.finish(run_id), DONE) == ("failed", ["pay"])
    assert driver.step(run_id, "pay")["error"]["code"] == "OUTCOME_UNKNOWN"


@workflow("thoughtful")
def thoughtful(ctx: Any) -> Any:
    ctx.step("read", note, "read")
    note("think")
    return ctx.step("write", note, "write")


def test_a_worker_that_is_told_to_go_does_not_fail_the_run(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "kill", lambda *_: dies()())
    monkeypatch.setattr(common, "_should_have_exited", [False])
    heard = common._shutdown_cleanup  # type: ignore[attr-defined]
    TROUBLE["think"] = lambda: heard(signal.SIGTERM, None)
    run_id = driver.trigger(thoughtful)
    killed(driver, run_id)
    monkeypatch.undo()
    TROUBLE.clear()
    assert driver.finish(run_id) == "completed"


@workflow("booked")
def booked(ctx: Any) -> None:
    ctx.step("book", note, "book", undo=unnote)
    ctx.step("pay", note, "pay", undo=unnote, retries=1, retry_delay=0)


def test_what_a_lost_worker_had_begun_is_undone(driver: Driver) -> None:
    TROUBLE["pay"] = dies(10)
    run_id = driver.trigger(booked)
    for _ in range(3):
        killed(driver, run_id)
    assert driver.finish(run_id) == "failed"
    assert DONE == ["book", "pay", "pay", "pay", "undo pay?", "undo book"]


def test_a_lost_attempt_does_not_count_among_the_retries(driver: Driver) -> None:
    TROUBLE["pay"] = dies()
    run_id = driver.trigger(booked)
    killed(driver, run_id)
    TROUBLE["pay"] = fails()
    assert driver.finish(run_id) == "failed"
    assert DONE == ["book", "pay", "pay", "pay", "undo pay?", "undo book"]


def test_an_undo_whose_worker_is_lost_is_done_by_another(driver: Driver) -> None:
    TROUBLE.update({"pay": fails(), "undo book": dies()})
    run_id = driver.trigger(booked)
    with pytest.raises(Killed):
        driver.drain()
    driver.lose(run_id, "book", "comp")
    assert driver.finish(run_id) == "failed"
    assert DONE[-2:] == ["undo book", "undo book"]


@workflow("everything")
def everything(ctx: Any) -> Any:
    first = ctx.step("first", note, "first")
    ctx.sleep("1m")
    both = ctx.parallel([ctx.call("left", note, "left"), ctx.call("right", lambda: note("right"))])
    paid = ctx.step("pay", note, "pay", retries=2, retry_delay="1s", undo=unnote)
    ctx.emit("paid", {"by": ctx.uuid()})
    return [first, *both, paid, ctx.step("last", note, "last")]


class Cut:
    """Takes the worker away before or after its n-th commit."""

    def __init__(self, driver: Driver, number: int, *, after: bool) -> None:
        self._number, self._after, self.made = number, after, 0
        self._db = driver.db
        for name in ("once", "write"):
            setattr(self._db, name, self._cutting(getattr(self._db, name)))

    def _cutting(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def write(*args: Any, **how: Any) -> Any:
            self.made += 1
            if self.made == self._number and not self._after:
                raise Killed
            done = real(*args, **how)
            if self.made == self._number:
                raise Killed
            return done

        return write

    def over(self) -> None:
        """No worker dies any more."""
        del self._db.once, self._db.write


@pytest.mark.parametrize("after", [False, True])
def test_a_worker_may_be_lost_before_or_after_any_commit(driver: Driver, after: bool) -> None:
    for number in range(1, 200):
        DONE.clear()
        TROUBLE["pay"] = fails(1)
        run_id = driver.trigger(everything)
        cut = Cut(driver, number, after=after)
        for _ in range(20):
            try:
                driver.finish(run_id)
                break
            except Killed:
                cut.over()
                driver.waiting.clear()
                driver.reconcile([run_id])
        else:
            raise AssertionError("it never ends")
        if cut.made < number:
            cut.over()
            return
        assert driver.result(run_id) == ["first", "left", "right", "pay", "last"], number
        assert max(DONE.count(what) for what in DONE if what != "pay") <= 2, number
