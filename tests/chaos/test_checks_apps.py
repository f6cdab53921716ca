"""What the judge of apps says of logs, messages and hooks in which something is wrong."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.chaos.apps import judge
from tests.chaos.apps.program import AppsApi, Program
from tests.chaos.apps.users import Users

RUN, STEP = "wrun_1", "step_wrun_1_0"
CROWD = cast("Users", SimpleNamespace(started={RUN: "chain"}))


def log(*told: tuple[str, str | None]) -> list[dict[str, Any]]:
    """Events of a run."""
    return [{"event_type": kind, "correlation_id": name, "data": '{"result":"a"}'} for kind, name in told]


def program(*made: str, again: tuple[str, ...] = ()) -> Program:
    """An app in which the step was done with these results, and that asked for these messages again."""
    played = Program(AppsApi("http://127.0.0.1:1"))
    played.effects[STEP].extend(made)
    played.again[RUN].update(again)
    return played


def message(number: int, key: str | None = None, state: str = "delivered") -> dict[str, Any]:
    """A message of the run."""
    return {"id": number, "run_id": RUN, "key": key, "state": state, "attempts": 0, "failure": None}


@pytest.mark.parametrize(
    ("told", "found"),
    [
        (
            [("run_started", None), ("step_completed", "a"), ("step_completed", "b"), ("hook_received", "c")],
            0,
        ),
        ([("run_started", None), ("run_started", None)], 1),
        ([("step_completed", "a"), ("step_completed", "a")], 1),
        ([("hook_received", "c"), ("hook_received", "c"), ("step_started", "a"), ("step_started", "a")], 0),
        ([("run_completed", None), ("run_cancelled", None)], 1),
    ],
)
def test_what_may_stand_once_is_counted(told: list[tuple[str, str | None]], found: int) -> None:
    assert len(list(judge.once(RUN, log(*told)))) == found


@pytest.mark.parametrize(("made", "found"), [(("a",), 0), (("b", "a"), 0), (("b",), 1), ((), 1)])
def test_the_result_in_the_log_is_one_that_a_body_returned(made: tuple[str, ...], found: int) -> None:
    logs = {RUN: log(("step_completed", STEP))}
    assert len(list(judge.results(CROWD, logs, program(*made)))) == found


def test_a_step_that_was_done_and_has_no_result_is_found() -> None:
    (one,) = judge.results(CROWD, {RUN: []}, program("a"))
    assert one.number == "result"


def test_messages_that_are_left_and_doubled_are_found() -> None:
    rows = [message(1, "start"), message(2), message(3), message(4, "late", "open")]
    said = [one.number for one in judge.followed(rows, CROWD, program(again=("msg_1",)))]
    assert said == ["message", "fence"]
    assert list(judge.followed(rows[:2], CROWD, program(again=("msg_1",)))) == []


def test_runs_that_did_not_complete_and_tokens_that_are_kept_are_found() -> None:
    runs = {RUN: {"status": "failed", "completed_at": 1}}
    hook = {"run_id": RUN, "token": "t", "disposed_at": None}
    assert [one.number for one in judge.ended(CROWD, runs)] == ["ended"]
    assert [one.number for one in judge.ended(CROWD, {})] == ["ended"]
    assert [one.number for one in judge.tokens([hook], runs)] == ["token"]
    assert list(judge.tokens([{**hook, "disposed_at": 1}], runs)) == []
