"""The checks of code workflows see what is wrong with marks and records that no engine would leave behind."""

from collections.abc import Sequence
from typing import Any

from tests.chaos.checks import code
from tests.chaos.checks.evidence import Evidence, Finding

RUN = "run_1"


def call(key: str, ordinal: int, value: Any, kind: str = "task", **more: Any) -> dict[str, Any]:
    """The row of a call that has ended."""
    row = {"run_id": RUN, "phase": "forward", "key": key, "branch": f"main/{ordinal}", "ordinal": ordinal}
    done = {"kind": kind, "status": "completed", "output": {"value": value}, "attempt": 0}
    return {**row, **done, "reused_from": None, **more}


def mark(
    step: str, value: str, after: Any = None, words: Sequence[Any] = (), effect: str = "did"
) -> dict[str, Any]:
    """What a body has left."""
    facts = {"after": after, "words": list(words), "value": value}
    return {"run": RUN, "step": step, "effect": effect, **facts}


def evidence(steps: Sequence[Any], marks: Sequence[Any], status: str = "completed", **given: Any) -> Evidence:
    """One walk and what is known of it."""
    row = {
        "id": RUN,
        "type": "code.walk",
        "status": status,
        "input": {"args": [{"words": 0, "fails": False, **given}]},
    }
    rest = dict.fromkeys(("cancel_requested_at", "cancel_mode", "error_code", "error_message"))
    return Evidence(runs={RUN: {**row, **rest}}, steps={RUN: steps}, events={RUN: ()}, marks=marks)


def found(known: Evidence) -> list[str]:
    """What all checks of code workflows find."""
    every: list[Finding] = [
        one for check in (code.replayed, code.kept, code.signalled, code.fared) for one in check(known)
    ]
    return [one.number for one in every]


STEPS = [call("one", 1, "a"), call("two", 2, "b")]
MARKS = [mark("one", "a"), mark("two", "b", after="a")]


def test_a_sound_run_is_left_alone() -> None:
    assert found(evidence(STEPS, MARKS)) == []


def test_a_body_that_saw_a_result_which_was_not_kept_is_noticed() -> None:
    marks = [mark("one", "lost"), mark("two", "x", after="lost"), *MARKS]
    assert "replay" in found(evidence(STEPS, marks))


def test_a_result_that_no_body_gave_is_noticed() -> None:
    assert "replay" in found(evidence([call("one", 1, "other")], MARKS[:1]))


def test_a_completed_step_that_began_again_without_a_reason_is_noticed() -> None:
    assert found(evidence(STEPS, [*MARKS, mark("one", "a")])) == ["again"]


def test_a_signal_that_is_received_twice_is_noticed() -> None:
    steps = [call("word", 1, 0, "signal"), call("word#2", 2, 0, "signal")]
    assert "signals" in found(evidence(steps, [], words=2))


def test_a_signal_that_was_swallowed_is_noticed() -> None:
    assert "signals" in found(evidence([call("word", 1, "swallowed", "signal")], [], words=1))
    steps = [call("word", 1, 0, "signal"), call("three", 2, "c")]
    assert "replay" in found(evidence(steps, [mark("three", "c", words=["swallowed"])], words=1))


def test_what_happened_and_was_not_undone_is_noticed() -> None:
    steps, marks = [call("three", 1, "c")], [mark("three", "c")]
    assert found(evidence(steps, marks, "failed", fails=True)) == ["I6"]
    undone = [*marks, mark("three", "d", effect="undid")]
    assert found(evidence(steps, undone, "failed", fails=True)) == []
    assert found(evidence(steps, undone)) == ["I6"]


def test_a_run_that_ends_otherwise_than_expected_is_noticed() -> None:
    assert found(evidence(STEPS, MARKS, "failed")) == ["fate"]
