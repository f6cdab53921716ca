"""Runs of a few steps: what happens in which order, what is retried, what is undone."""

import gc
import os
import signal
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from app.domain.errors import OutcomeUnknown, Permanent, StepError
from app.worker import execute
from app.worker.loop import run_link
from tasks.context import Context
from tests.support.driver import Driver
from tests.support.probes import BEFORE, DONE, fails
from tests.support.servers import until


class Held:
    """Something large."""


@contextmanager
def no_collector() -> Iterator[None]:
    """Nothing is freed that leads back to itself."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class Busy(StepError):
    """The machine refused before anything happened."""

    nothing_happened = True


def test_a_run_of_three_steps_does_each_once_and_gives_their_results(driver: Driver) -> None:
    run_id = driver.start("probe.line")

    assert driver.finish(run_id) == "completed"
    assert DONE == ["first", "second", "third"]
    assert driver.run(run_id)["output"] == {"first_done": 1, "second_done": 1}


def test_neighbours_of_one_queue_share_a_message(driver: Driver) -> None:
    run_id = driver.start("probe.line")

    first = driver.deliver()
    assert first is not None and first.chain_goes_on
    assert DONE == ["first", "second"]
    assert driver.published == 1
    assert driver.finish(run_id) == "completed"
    assert driver.published == 1


@pytest.mark.parametrize("failures", [1, 2])
def test_a_step_that_fails_for_a_while_is_tried_again_after_a_wait(driver: Driver, failures: int) -> None:
    BEFORE["second"] = fails(failures, StepError)
    run_id = driver.start("probe.line")

    driver.drain()
    assert driver.run(run_id)["status"] == "waiting"
    assert driver.run(run_id)["waiting_on"]["kind"] == "timer"
    assert driver.finish(run_id) == "completed"
    assert ["first", *["second"] * (failures + 1), "third"] == DONE


def test_what_a_failing_body_had_in_hand_is_let_go_at_once(driver: Driver) -> None:
    in_hand: list[weakref.ref[Held]] = []

    def fail(_ctx: Context) -> None:
        held = Held()
        in_hand.append(weakref.ref(held))
        try:
            raise KeyError("why")
        except KeyError as why:
            raise Permanent("told to fail") from why

    BEFORE["third"] = fail
    with no_collector():
        assert driver.finish(driver.start("probe.line")) == "failed"
        assert in_hand[0]() is None


def test_an_exhausted_step_turns_the_run_back_in_reverse_order(driver: Driver) -> None:
    BEFORE["third"] = fails()
    run_id = driver.start("probe.line")

    assert driver.finish(run_id) == "failed"
    assert DONE == ["first", "second", "third", "undo third", "undo second", "undo first"]
    assert driver.run(run_id)["error_step"] == "third"


def test_a_policy_is_exhausted_after_its_attempts(driver: Driver) -> None:
    BEFORE["second"] = fails(error=StepError)
    run_id = driver.start("probe.line")

    assert driver.finish(run_id) == "failed"
    assert DONE.count("second") == 3
    assert driver.step(run_id, "second")["attempt"] == 3


def test_a_step_that_did_nothing_is_not_undone(driver: Driver) -> None:
    BEFORE["third"] = fails(error=Busy)
    run_id = driver.start("probe.line")

    assert driver.finish(run_id) == "failed"
    assert "undo third" not in DONE
    assert driver.step(run_id, "third")["outcome"] == "none"


def test_a_step_that_did_nothing_last_and_may_have_done_something_before_is_undone(driver: Driver) -> None:
    raised = iter([StepError("who knows"), Busy("busy"), Busy("busy")])
    BEFORE["third"] = lambda _ctx: (_ for _ in ()).throw(next(raised))
    run_id = driver.start("probe.line")

    assert driver.finish(run_id) == "failed"
    assert "undo third" in DONE


def test_a_result_that_lacks_what_was_promised_fails_for_good(driver: Driver) -> None:
    BEFORE["first"] = lambda _ctx: None
    run_id = driver.start("probe.line")
    assert driver.finish(run_id) == "completed"

    broken = driver.start("probe.broken")
    assert driver.finish(broken) == "failed"
    assert "promised" in driver.run(broken)["error_message"]


def test_any_exception_of_a_body_is_a_failure_that_is_retried(driver: Driver) -> None:
    raised = iter([KeyError("x"), ZeroDivisionError("y")])
    BEFORE["first"] = lambda _ctx: (_ for _ in ()).throw(error) if (error := next(raised, None)) else None
    run_id = driver.start("probe.line")

    assert driver.finish(run_id) == "completed"
    assert DONE.count("first") == 3


def test_an_undo_is_tried_again_with_its_own_patience(driver: Driver) -> None:
    BEFORE["third"], BEFORE["undo second"] = fails(), fails(5, StepError)
    run_id = driver.start("probe.line")

    assert driver.finish(run_id) == "failed"
    assert DONE.count("undo second") == 6
    assert DONE[-1] == "undo first"


def exhausted_undo(driver: Driver) -> str:
    """A run whose second undo has failed for good."""
    BEFORE["third"], BEFORE["undo second"] = fails(), fails(1, Permanent)
    run_id = driver.start("probe.line")
    assert driver.finish(run_id) == "compensation_failed"
    assert DONE[-1] == "undo second"
    return run_id


@pytest.mark.parametrize(("action", "times"), [("resume", 2), ("compensate", 2), ("skip", 1), ("resolve", 1)])
def test_an_operator_ends_an_exhausted_undo(driver: Driver, action: str, times: int) -> None:
    run_id = exhausted_undo(driver)

    driver.act(run_id, action, reason="looked at it")
    assert driver.finish(run_id) == "failed"
    assert DONE.count("undo second") == times
    assert DONE[-1] == "undo first"


def test_an_exhausted_undo_holds_back_the_others_and_keeps_its_lock(driver: Driver) -> None:
    BEFORE["third"], BEFORE["undo second"] = fails(), fails()
    run_id = driver.start("probe.locked", resource_id="p1")
    waiter = driver.start("probe.locked", resource_id="p1", on_conflict="queue")

    assert driver.finish(run_id) == "compensation_failed"
    assert "undo first" not in DONE
    assert driver.run(waiter)["status"] == "lock_waiting"


def test_an_unknown_outcome_is_passed_to_the_undo(driver: Driver) -> None:
    seen = []
    BEFORE["third"] = fails(error=OutcomeUnknown)
    BEFORE["undo third"] = lambda ctx: seen.append(ctx.step)
    run_id = driver.start("probe.line")

    assert driver.finish(run_id) == "failed"
    assert seen == ["third"]
    assert driver.step(run_id, "third")["outcome"] == "unknown"


def test_a_body_that_hears_no_alarm_is_ended_with_its_process(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[int] = []
    monkeypatch.setattr(os, "kill", lambda _pid, number: killed.append(number))
    monkeypatch.setattr(execute, "DEAF_S", -3_600.0)
    BEFORE["first"] = lambda _ctx: until(lambda: killed, 10)
    driver.start("probe.line")
    run_message, _ = driver.waiting.popleft()

    hasty = replace(driver.runner, heartbeat_ms=10)
    run_link(
        hasty,
        run_id=run_message.run_id,
        phase="forward",
        key="first",
        gen=run_message.gen,
        task_id="t",
        chained=False,
    )
    assert killed[0] == signal.SIGKILL
