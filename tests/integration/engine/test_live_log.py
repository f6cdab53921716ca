"""What a step logs is in the log of its run while the step runs, once, and never after it was taken away."""

from dataclasses import replace
from typing import Any

import pytest

from app.engine.transitions.claim import Claim, Holder, claim
from app.engine.transitions.settle import Done, settle
from app.services import present
from app.worker import execute
from app.worker.live_log import LiveLog
from app.worker.loop import run_link
from tests.support.driver import Driver
from tests.support.probes import BEFORE
from tests.support.servers import until

HOLDER = Holder(nonce="host.1:7/abc", task_id="t", lease_ms=10_000)


def logged(driver: Driver, run_id: str) -> list[Any]:
    """What the log of a run holds of its steps' lines."""
    return [row["payload"]["message"] for row in driver.log(run_id) if row["type"] == "step.log"]


def claimed(driver: Driver, run_id: str) -> Claim:
    """The claim on the first step."""
    made = claim(driver.db, run_id, "forward", "first", driver.run(run_id)["dispatch_gen"], HOLDER)
    assert isinstance(made, Claim)
    return made


def test_a_line_is_there_before_its_step_ends_and_no_second_time_after(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    run_message, _ = driver.waiting.popleft()

    def slowly(ctx: Any) -> None:
        ctx.log("half way")
        until(lambda: logged(driver, run_id) == ["half way"], why="the heartbeat brings it")
        ctx.log("nearly there")

    BEFORE["first"] = slowly
    quick = replace(driver.runner, heartbeat_ms=50)
    run_link(
        quick, run_id=run_id, phase="forward", key="first", gen=run_message.gen, task_id="t", chained=False
    )
    assert logged(driver, run_id) == ["half way", "nearly there"]


def test_a_plain_step_says_how_far_it_is_until_it_has_ended(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    made = claimed(driver, run_id)
    ctx = execute._context(driver.runner, made, lambda: False)
    ctx.report("30 of 90 disks")
    LiveLog(driver.db, made, ctx.logs).write()
    shown = present.step_object(driver.step(run_id, "first"))
    assert (shown["progress"], logged(driver, run_id)) == ("30 of 90 disks", ["30 of 90 disks"])
    settle(driver.db, made, Done({}))
    assert "progress" not in present.step_object(driver.step(run_id, "first"))


def test_a_step_that_another_worker_has_by_now_logs_nothing_more(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    lines = [{"message": "late"}]
    live = LiveLog(driver.db, claimed(driver, run_id), lines)
    driver.lose(run_id, "first")
    live.write()
    assert (logged(driver, run_id), live.rest()) == ([], [{"message": "late"}])


def test_lines_of_a_commit_whose_answer_was_lost_are_written_once(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, lines, write = driver.start("probe.line"), [{"message": "half way"}], driver.db.write
    live = LiveLog(driver.db, claimed(driver, run_id), lines)
    monkeypatch.setattr(driver.db, "write", lambda work, **how: write(work, **how) and write(work, **how))

    live.write()
    lines.append({"message": "nearly there"})
    live.write()
    assert (logged(driver, run_id), live.rest()) == (["half way", "nearly there"], [])


def test_the_event_of_a_claim_and_the_step_name_the_worker(driver: Driver) -> None:
    run_id = driver.start("probe.line")
    claimed(driver, run_id)
    (started,) = [row for row in driver.log(run_id) if row["type"] == "step.started"]
    assert started["payload"]["worker"] == "host.1:7"
