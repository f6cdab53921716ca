"""Steps at the same time: joins, limits, order of results, members that fail, are lost or come twice."""

from collections.abc import Callable

import pytest

from app.domain.errors import StepError
from tests.support.driver import Driver
from tests.support.probes import BEFORE, DONE, fails


def visits() -> list[str]:
    """The visits that were made, in order."""
    return [one for one in DONE if one.startswith("visit")]


def test_a_map_visits_each_item_and_gives_results_in_their_order(driver: Driver) -> None:
    run_id = driver.start("probe.map", {"items": ["a", "b", "c"]})
    driver.deliver()
    driver.waiting.rotate(1)

    assert driver.finish(run_id) == "completed"
    assert visits() == ["visit c", "visit a", "visit b"]
    reports = driver.run(run_id)["output"]["reports"]
    assert [one["report"] for one in reports] == ["seen a", "seen b", "seen c"]


def test_an_empty_list_is_an_empty_result(driver: Driver) -> None:
    run_id = driver.start("probe.map", {"items": []})

    assert driver.finish(run_id) == "completed"
    assert driver.run(run_id)["output"]["reports"] == []
    assert DONE == ["first", "third"]


@pytest.mark.parametrize("items", [7, "abc", {"a": 1}, None])
def test_what_is_no_list_fails_the_run(driver: Driver, items: object) -> None:
    run_id = driver.start("probe.map", {"items": items})

    assert driver.finish(run_id) == "failed"
    assert "not a list" in driver.run(run_id)["error_message"]
    assert DONE == ["first", "undo first"]


def test_too_long_a_list_fails_the_run(driver: Driver) -> None:
    run_id = driver.start("probe.map", {"items": list(range(10_001))})

    assert driver.finish(run_id) == "failed"
    assert "at most 10000" in driver.run(run_id)["error_message"]


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_no_more_members_than_the_limit_are_published_at_once(driver: Driver, limit: int) -> None:
    run_id = driver.start("probe.map", {"items": [1, 2, 3, 4], "limit": limit})
    driver.deliver()

    most = len(driver.waiting)
    while driver.deliver():
        most = max(most, len(driver.waiting))
    assert most == min(limit, 4)
    assert driver.finish(run_id) == "completed"


@pytest.mark.parametrize("limit", [None, 1])
def test_a_member_that_fails_turns_the_run_back(driver: Driver, limit: int | None) -> None:
    BEFORE["visit b"] = fails()
    run_id = driver.start("probe.map", {"items": ["a", "b", "c"], "limit": limit})

    assert driver.finish(run_id) == "failed"
    assert driver.run(run_id)["error_step"] == "each-item[1].visit"
    assert DONE[-3:] == ["unvisit b", "unvisit a", "undo first"]
    assert "visit c" not in DONE


def test_any_takes_the_first_success_and_cancels_the_others(driver: Driver) -> None:
    BEFORE["visit a"] = fails()
    run_id = driver.start("probe.map", {"items": ["a", "b", "c"], "join": "any"})

    assert driver.finish(run_id) == "completed"
    assert visits() == ["visit a", "visit b"]
    assert driver.step(run_id, "each-item[2].visit")["status"] == "cancelled"


def test_any_fails_when_all_have_failed(driver: Driver) -> None:
    for item in "ab":
        BEFORE[f"visit {item}"] = fails()
    run_id = driver.start("probe.map", {"items": ["a", "b"], "join": "any"})

    assert driver.finish(run_id) == "failed"
    assert driver.step(run_id, "each-item")["failures"] == 2


@pytest.mark.parametrize(("broken", "status"), [("a", "completed"), ("ab", "failed")])
def test_two_of_three_must_succeed(driver: Driver, broken: str, status: str) -> None:
    for item in broken:
        BEFORE[f"visit {item}"] = fails()
    run_id = driver.start("probe.map", {"items": ["a", "b", "c"], "join": "two"})

    assert driver.finish(run_id) == status


def test_collect_keeps_failures_as_results(driver: Driver) -> None:
    BEFORE["visit b"] = fails()
    run_id = driver.start("probe.map", {"items": ["a", "b"], "join": "collect"})

    assert driver.finish(run_id) == "completed"
    kept = driver.run(run_id)["output"]["reports"]
    assert kept[0] == {"report": "seen a"}
    assert kept[1]["error"]["code"] == "STEP_FAILED"


def test_a_failure_that_was_collected_is_undone_when_the_run_fails_later(driver: Driver) -> None:
    BEFORE["visit b"], BEFORE["third"] = fails(), fails()
    run_id = driver.start("probe.map", {"items": ["a", "b"], "join": "collect"})

    assert driver.finish(run_id) == "failed"
    assert DONE[-4:] == ["undo third", "unvisit b", "unvisit a", "undo first"]


def during(driver: Driver, what: str, do: Callable[[], object]) -> None:
    """Do something once while a body runs."""
    left = [do]
    BEFORE[what] = lambda _ctx: left.pop()() if left else None


def test_a_straggler_ends_before_the_run_turns_back(driver: Driver) -> None:
    BEFORE["visit b"] = fails()
    run_id = driver.start("probe.map", {"items": ["a", "b"]})
    seen: list[str] = []

    def b_fails_now() -> None:
        driver.deliver()
        seen.append(driver.status(run_id))

    during(driver, "visit a", b_fails_now)
    assert driver.finish(run_id) == "failed"
    assert seen == ["cancelling"]
    assert DONE[-3:] == ["unvisit b", "unvisit a", "undo first"]


def test_a_straggler_of_a_closed_join_ends_and_is_undone_with_the_rest(driver: Driver) -> None:
    BEFORE["third"] = fails()
    run_id = driver.start("probe.map", {"items": ["a", "b"], "join": "any"})
    during(driver, "visit a", driver.deliver)

    assert driver.finish(run_id) == "failed"
    assert DONE[-4:] == ["undo third", "unvisit b", "unvisit a", "undo first"]


def test_the_run_waits_for_a_straggler_before_it_ends(driver: Driver) -> None:
    run_id = driver.start("probe.map", {"items": ["a", "b"], "join": "any"})
    seen: list[str] = []

    def everything_else_ends() -> None:
        driver.drain()
        seen.append(driver.status(run_id))

    during(driver, "visit a", everything_else_ends)
    assert driver.finish(run_id) == "completed"
    assert seen == ["running"]


def test_a_straggler_that_fails_after_its_join_closed_changes_nothing(driver: Driver) -> None:
    run_id = driver.start("probe.map", {"items": ["a", "b"], "join": "any"})

    def b_wins_and_a_fails(_ctx: object) -> None:
        driver.drain()
        raise StepError("too late") from None

    BEFORE["visit a"] = b_wins_and_a_fails
    assert driver.finish(run_id) == "completed"
    assert driver.step(run_id, "each-item")["status"] == "completed"


def test_a_member_that_is_tried_again_does_not_hold_up_the_others(driver: Driver) -> None:
    BEFORE["visit a"] = fails(1, StepError)
    run_id = driver.start("probe.map", {"items": ["a", "b"]})

    driver.drain()
    assert visits() == ["visit a", "visit b"]
    assert driver.finish(run_id) == "completed"


def test_a_member_whose_worker_is_lost_is_done_again(driver: Driver) -> None:
    run_id = driver.start("probe.map", {"items": ["a", "b"]})
    during(driver, "visit a", lambda: driver.lose(run_id, "each-item[0].visit"))

    assert driver.finish(run_id) == "completed"
    assert visits().count("visit a") == 2
    assert driver.events(run_id).count("step.completed:each-item") == 1


def test_a_doubled_message_of_a_member_is_dropped(driver: Driver) -> None:
    run_id = driver.start("probe.map", {"items": ["a", "b"]})
    driver.deliver()
    driver.waiting.extend(list(driver.waiting))

    assert driver.finish(run_id) == "completed"
    assert visits() == ["visit a", "visit b"]


def test_a_lost_message_of_a_member_is_published_again(driver: Driver) -> None:
    run_id = driver.start("probe.map", {"items": ["a", "b", "c"]})
    driver.deliver()
    driver.waiting.clear()

    driver.find_lost()
    assert driver.finish(run_id) == "completed"
    assert visits() == ["visit a", "visit b", "visit c"]


def held_map(driver: Driver, **given: object) -> str:
    """A held run whose second member failed once."""
    BEFORE["visit b"] = fails(1)
    run_id = driver.start("probe.map", {"items": ["a", "b", "c"], **given}, on_failure="hold")
    assert driver.finish(run_id) == "failed_held"
    return run_id


@pytest.mark.parametrize("limit", [None, 1])
@pytest.mark.parametrize("key", [None, "each-item"])
def test_a_held_map_goes_on_with_the_members_that_are_not_done(
    driver: Driver, key: str | None, limit: int | None
) -> None:
    run_id = held_map(driver, limit=limit)

    driver.act(run_id, "resume", step=key)
    assert driver.finish(run_id) == "completed"
    assert visits() in (
        ["visit a", "visit b", *rest] for rest in (["visit b", "visit c"], ["visit c", "visit b"])
    )
    assert driver.step(run_id, "each-item")["succeeded"] == 3


@pytest.mark.parametrize("action", ["skip", "resolve"])
def test_a_held_map_goes_on_without_its_failed_member(driver: Driver, action: str) -> None:
    run_id = held_map(driver)

    driver.act(run_id, action)
    assert driver.finish(run_id) == "completed"
    assert visits() == ["visit a", "visit b", "visit c"]


def test_a_held_map_whose_last_member_is_skipped_is_over(driver: Driver) -> None:
    BEFORE["visit b"] = fails(1)
    run_id = driver.start("probe.map", {"items": ["a", "b"]}, on_failure="hold")
    driver.finish(run_id)

    driver.act(run_id, "skip")
    assert driver.finish(run_id) == "completed"


def test_a_held_map_is_left_out_as_a_whole(driver: Driver) -> None:
    run_id = held_map(driver)

    driver.act(run_id, "skip", step="each-item")
    assert driver.finish(run_id) == "completed"
    assert DONE[-1] == "third"


def test_two_members_that_failed_may_be_tried_again_together(driver: Driver) -> None:
    BEFORE["visit a"], BEFORE["visit b"] = fails(1), fails(1)
    run_id = driver.start("probe.map", {"items": ["a", "b", "c"]}, on_failure="hold")
    during(driver, "visit c", lambda: None)
    driver.finish(run_id)

    driver.act(run_id, "resume")
    if driver.finish(run_id) == "failed_held":
        driver.act(run_id, "resume")
    assert driver.finish(run_id) == "completed"


def test_branches_of_a_group_run_beside_each_other_and_meet(driver: Driver) -> None:
    run_id = driver.start("probe.group")

    assert driver.finish(run_id) == "completed"
    assert DONE == ["first", "second", "third", "visit x", "visit y"]
    assert driver.step(run_id, "parallel")["output"]["second_done"] == 1


def test_a_branch_that_fails_in_its_middle_turns_the_run_back(driver: Driver) -> None:
    BEFORE["visit x"] = fails()
    run_id = driver.start("probe.group")

    assert driver.finish(run_id) == "failed"
    assert DONE[-4:] == ["unvisit x", "undo third", "undo second", "undo first"]


def test_a_branch_that_failed_in_its_middle_is_resumed_there(driver: Driver) -> None:
    BEFORE["visit x"] = fails(1)
    run_id = driver.start("probe.group", on_failure="hold")
    assert driver.finish(run_id) == "failed_held"

    driver.act(run_id, "resume")
    assert driver.finish(run_id) == "completed"
    assert DONE.count("third") == 1
    assert DONE.count("visit x") == 2


def test_a_branch_whose_middle_was_skipped_goes_on_there(driver: Driver) -> None:
    BEFORE["third"] = fails(1)
    run_id = driver.start("probe.group", on_failure="hold")
    assert driver.finish(run_id) == "failed_held"

    driver.act(run_id, "skip")
    assert driver.finish(run_id) == "completed"
    assert DONE[-2:] == ["visit x", "visit y"]


@pytest.mark.parametrize("many", [200, pytest.param(1_000, marks=pytest.mark.nightly)])
def test_many_members_are_joined_once(driver: Driver, many: int) -> None:
    run_id = driver.start("probe.map", {"items": list(range(many)), "limit": 50})

    assert driver.finish(run_id) == "completed"
    assert len(set(visits())) == len(visits()) == many
    assert len(driver.run(run_id)["output"]["reports"]) == many


def blocked_member(driver: Driver, **given: object) -> str:
    """A run that is blocked because a member must not be repeated."""
    BEFORE["once"] = fails(1, StepError)
    run_id = driver.start("probe.mix", {"join": "all", "limit": None, **given})
    assert driver.finish(run_id) == "blocked"
    return run_id


@pytest.mark.parametrize("limit", [None, 1])
@pytest.mark.parametrize("action", ["resume", "skip", "resolve"])
def test_an_operator_ends_what_blocks_a_member(driver: Driver, action: str, limit: int | None) -> None:
    run_id = blocked_member(driver, limit=limit)

    driver.act(run_id, action)
    assert driver.finish(run_id) == "completed"
    assert DONE.count("once") == (2 if action == "resume" else 1)
    assert DONE[-1] == "second"


def test_a_member_that_fails_while_another_blocks_holds_the_run(driver: Driver) -> None:
    BEFORE["once"], BEFORE["visit 1"] = fails(1, StepError), lambda _ctx: driver.deliver() and fails(1)(_ctx)
    run_id = driver.start("probe.mix", {"join": "all", "limit": None}, on_failure="hold")

    assert driver.finish(run_id) == "failed_held"
    BEFORE.clear()
    driver.act(run_id, "resume", step="visit")
    assert driver.finish(run_id) == "blocked"
    driver.act(run_id, "resolve")
    assert driver.finish(run_id) == "completed"
    assert DONE.count("once") == 1


def test_a_straggler_whose_worker_is_lost_is_not_done_again(driver: Driver) -> None:
    run_id = driver.start("probe.map", {"items": ["a", "b"], "join": "any"})

    def everything_else_ends() -> None:
        driver.drain()
        driver.lose(run_id, "each-item[0].visit")

    during(driver, "visit a", everything_else_ends)
    assert driver.finish(run_id) == "completed"
    assert visits() == ["visit a", "visit b"]
