"""ctx.parallel: members have their own messages, fail and are lost by themselves; results in input order."""

from typing import Any

import pytest

from app.record.runs import runs
from tests.integration.code.flows import DONE, TROUBLE, Killed, Rejected, dies, fails, note, unnote
from tests.support.driver import Driver
from windlass import context, workflow
from windlass.steps import step_call

NAMES = ("a", "b", "c")


@workflow("fan")
def fan(ctx: Any, closures: bool = False, collect: bool = False, undo: bool = False, **options: Any) -> Any:
    if undo:
        options["undo"] = unnote
    if closures:
        calls = [ctx.call(one, lambda one=one: note(one), **options) for one in NAMES]
    else:
        calls = [ctx.call(one, note, one, **options) for one in NAMES]
    found = ctx.parallel(calls, return_exceptions=collect)
    return [str(one) if isinstance(one, Exception) else one for one in found]


def lost(driver: Driver, run_id: str, key: str) -> None:
    with pytest.raises(Killed):
        driver.drain()
    driver.lose(run_id, key)


@pytest.mark.parametrize("closures", [False, True])
def test_results_come_in_the_order_of_the_calls(driver: Driver, closures: bool) -> None:
    run_id = driver.trigger(fan, closures)
    driver.deliver()
    assert (driver.status(run_id), driver.step(run_id, "main")["pending"]) == ("waiting", 3)
    driver.waiting.reverse()
    assert (driver.finish(run_id), driver.result(run_id)) == ("completed", ["a", "b", "c"])
    assert DONE == ["c", "b", "a"]


def test_the_first_failure_in_input_order_is_raised_when_all_have_ended(driver: Driver) -> None:
    TROUBLE.update(b=fails(), a=fails(error=ValueError))
    run_id = driver.trigger(fan)
    assert (driver.finish(run_id), len(DONE)) == ("failed", 3)
    run = driver.run(run_id)
    assert (run["error_message"], run["error_step"]) == ("ValueError: told to fail", "a")


def test_failures_may_stand_in_their_places(driver: Driver) -> None:
    TROUBLE["b"] = fails()
    run_id = driver.trigger(fan, False, True)
    assert (driver.finish(run_id), driver.result(run_id)) == ("completed", ["a", "told to fail", "c"])


@pytest.mark.parametrize("closures", [False, True])
def test_a_member_is_tried_again_by_itself(driver: Driver, closures: bool) -> None:
    TROUBLE["b"] = fails(2)
    run_id = driver.trigger(fan, closures, kwargs={"retries": 2, "retry_delay": "2s"})
    driver.drain()
    assert driver.step(run_id, "b")["status"] == "retry_wait"
    assert (driver.finish(run_id), DONE.count("b"), DONE.count("a")) == ("completed", 3, 1)


def test_retries_of_a_member_run_out(driver: Driver) -> None:
    TROUBLE["b"] = fails()
    run_id = driver.trigger(fan, kwargs={"retries": 1, "retry_delay": 0})
    assert (driver.finish(run_id), DONE.count("b")) == ("failed", 2)


def test_the_worker_of_a_member_may_be_lost(driver: Driver) -> None:
    TROUBLE["b"] = dies()
    run_id = driver.trigger(fan)
    lost(driver, run_id, "b")
    assert (driver.finish(run_id), driver.result(run_id)) == ("completed", ["a", "b", "c"])
    assert (DONE.count("a"), DONE.count("b")) == (1, 2)


def test_a_member_that_kills_its_workers_fails_and_the_function_may_catch_that(driver: Driver) -> None:
    TROUBLE["b"] = dies(9)
    run_id = driver.trigger(fan, False, True)
    for _ in range(3):
        lost(driver, run_id, "b")
    assert driver.finish(run_id) == "completed"
    assert "lost its worker 3 times" in driver.result(run_id)[1]


def test_a_member_that_must_not_be_repeated_is_not(driver: Driver) -> None:
    TROUBLE["b"] = dies()
    run_id = driver.trigger(fan, kwargs={"at_most_once": True})
    lost(driver, run_id, "b")
    assert (driver.finish(run_id), DONE.count("b")) == ("failed", 1)
    assert driver.step(run_id, "b")["error"]["code"] == "OUTCOME_UNKNOWN"


def test_members_are_undone_newest_first(driver: Driver) -> None:
    TROUBLE["b"] = fails()
    run_id = driver.trigger(fan, kwargs={"undo": True})
    assert driver.finish(run_id) == "failed"
    assert DONE[3:] == ["undo c", "undo b?", "undo a"]


@workflow("fan-reports")
def fan_reports(ctx: Any) -> Any:
    call = ctx.call("b", note, "b", retries=1, retry_delay=0, on_error=lambda error: note(f"heard {error}"))
    return ctx.parallel([ctx.call("a", note, "a"), call])


def test_the_callback_of_a_member_hears_of_its_last_failure(driver: Driver) -> None:
    TROUBLE["b"] = fails()
    run_id = driver.trigger(fan_reports)
    assert (driver.finish(run_id), DONE[-1]) == ("failed", "heard told to fail")
    assert DONE.count("heard told to fail") == 1


@workflow("many")
def many(ctx: Any, count: int, limit: int | None = None) -> int:
    return sum(ctx.parallel([ctx.call("n", note, n) for n in range(count)], limit=limit))


def test_there_may_be_many_members(driver: Driver) -> None:
    run_id = driver.trigger(many, 60)
    assert (driver.finish(run_id), driver.result(run_id)) == ("completed", sum(range(60)))


def test_a_limit_lets_so_many_at_once(driver: Driver) -> None:
    run_id = driver.trigger(many, 5, 2)
    driver.deliver()
    assert (open_calls(driver, run_id), len(driver.waiting)) == (2, 2)
    assert (driver.finish(run_id), driver.result(run_id), len(DONE)) == ("completed", 10, 5)


def open_calls(driver: Driver, run_id: str) -> int:
    calls = [row for key, row in driver.steps(run_id).items() if key != "main"]
    return sum(row["expect_since"] is not None or row["status"] in ("running", "waiting") for row in calls)


def test_the_next_of_a_limit_begins_when_one_has_ended(driver: Driver) -> None:
    run_id = driver.trigger(many, 5, 2)
    driver.deliver()
    driver.waiting.reverse()  # The first of them takes long.
    for ended in (1, 2, 3):
        driver.deliver()
        assert (len(DONE), open_calls(driver, run_id)) == (ended, 2)
        driver.waiting.reverse()
    assert driver.step(run_id, "main")["attempt"] == 1
    assert (driver.finish(run_id), driver.result(run_id), len(DONE)) == ("completed", 10, 5)


def test_a_failed_call_lets_the_next_one_begin(driver: Driver) -> None:
    TROUBLE[1] = fails()
    run_id = driver.trigger(many, 4, 1)
    assert (driver.finish(run_id), DONE) == ("failed", [0, 1, 2, 3])


def test_a_paused_run_begins_no_further_call_until_it_goes_on(driver: Driver) -> None:
    run_id = driver.trigger(many, 3, 1)
    driver.deliver()
    driver.act(run_id, "pause")
    driver.drain()
    held = (len(DONE), open_calls(driver, run_id))
    driver.act(run_id, "unpause")
    assert (driver.finish(run_id), driver.result(run_id), held[1]) == ("completed", 3, 0)


def test_no_members_are_no_wait(driver: Driver) -> None:
    run_id = driver.trigger(many, 0)
    assert (driver.finish(run_id), driver.result(run_id)) == ("completed", 0)


@workflow("mixed")
def mixed(ctx: Any) -> Any:
    return ctx.parallel([ctx.call("a", note, "a"), ctx.child("fan"), ctx.call("z", lambda: note("z"))])


def test_children_may_be_among_the_members(driver: Driver) -> None:
    driver.announce(fan)
    run_id = driver.trigger(mixed)
    assert (driver.finish(run_id), driver.result(run_id)) == ("completed", ["a", ["a", "b", "c"], "z"])


@workflow("nested")
def nested(ctx: Any) -> Any:
    try:
        ctx.parallel([ctx.call("a", note, "a"), ctx.call("b", note, "b")])
    except Rejected:
        return ctx.parallel([ctx.call("c", note, "c"), ctx.call("d", note, "d")])


def test_a_function_may_fan_out_again_after_a_failure(driver: Driver) -> None:
    TROUBLE["a"] = fails()
    run_id = driver.trigger(nested)
    assert (driver.finish(run_id), driver.result(run_id)) == ("completed", ["c", "d"])


def test_doubled_messages_of_members_do_nothing(driver: Driver) -> None:
    run_id = driver.trigger(fan)
    driver.deliver()
    driver.waiting.extend(list(driver.waiting))
    assert (driver.finish(run_id), len(DONE)) == ("completed", 3)


def test_lost_messages_of_members_are_found(driver: Driver) -> None:
    run_id = driver.trigger(fan)
    driver.deliver()
    driver.waiting.clear()
    assert driver.find_lost() == 3
    assert (driver.finish(run_id), len(DONE)) == ("completed", 3)


@workflow("limited-children")
def limited_children(ctx: Any) -> Any:
    return ctx.parallel([ctx.child("one-note", n) for n in range(5)], limit=2)


@workflow("one-note")
def one_note(ctx: Any, n: int) -> Any:
    return ctx.step("note", note, n)


def test_a_limit_holds_for_children(driver: Driver) -> None:
    driver.announce(one_note)
    run_id = driver.trigger(limited_children)
    driver.deliver()
    assert open_calls(driver, run_id) == 2
    assert (driver.finish(run_id), driver.result(run_id)) == ("completed", [0, 1, 2, 3, 4])


@workflow("fan-twice")
def fan_twice(ctx: Any) -> Any:
    first = ctx.parallel([ctx.call(f"first {one}", lambda one=one: one) for one in NAMES])
    ctx.log("between")
    return ctx.parallel([ctx.call("again", lambda one=one: one * 2) for one in first])


def test_a_member_reads_what_came_before_its_fan_out_and_nothing_beside_it(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    calls = runs.calls

    def counted(*given: Any, **named: Any) -> Any:
        found = calls(*given, **named)
        read.append(len(found))
        return found

    monkeypatch.setattr(runs, "calls", counted)
    run_id = driver.trigger(fan_twice)
    assert (driver.finish(run_id), driver.result(run_id)) == ("completed", ["aa", "bb", "cc"])
    assert read == [0, 0, 0, 3, 3, 3, 3, 6]  # Three members, the function, three members, the function.


def test_calls_beside_the_one_that_is_looked_for_are_not_prepared(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[Any] = []

    def noted(name: str, *given: Any) -> Any:
        prepared.append(name)
        return step_call(name, *given)

    monkeypatch.setattr(context, "step_call", noted)
    run_id = driver.trigger(fan, True)
    assert driver.finish(run_id) == "completed"
    assert sorted(prepared) == sorted(NAMES * 3)  # Two passes of the function, and each member its own.


def test_a_line_of_the_log_before_a_fan_out_is_written_once(
    driver: Driver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="windlass")
    run_id = driver.trigger(fan_twice)
    driver.finish(run_id)
    assert caplog.text.count("between") == 1
