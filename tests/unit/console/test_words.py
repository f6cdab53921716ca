"""The answer line: for each wait and each ending one sentence without a hole."""

from typing import Any

import pytest

from app.console import words
from app.domain.states import RunStatus
from app.services.waits import KINDS

NOW = 1_768_305_600_000  # 2026-01-13T12:00:00Z
WAITS: dict[str, dict[str, Any]] = {
    "lock": {"resource": "server/srv_1", "since": "2026-01-13T11:56:00Z", "heldBy": {"runId": "run_9"}},
    "timer": {
        "step": "power",
        "attempt": 2,
        "until": "2026-01-13T12:00:12Z",
        "error": {"code": "BMC_REFUSED"},
    },
    "poll": {"step": "install", "deadline": "2026-01-13T12:30:00Z", "progress": "40 %"},
    "operator": {"step": "power-2", "until": "2026-01-13T12:13:00Z"},
    "worker": {"queue": "kube", "since": "2026-01-13T11:44:00Z"},
    "sleep": {"until": "2026-01-13T12:30:00Z"},
    "signal": {"name": "approval", "until": "2026-01-15T18:45:00Z"},
    "child": {"name": "welcome", "run": "run_7", "calls": 3},
    "calls": {"step": "charge"},
}
SAID = {
    "lock": "Waits 4 min for the lock of server/srv_1, held by run run_9.",
    "timer": "Next attempt of power in 12 s; attempt 2 failed (BMC_REFUSED).",
    "poll": "install is under way (40 %), at the latest until 12:30:00.",
    "operator": "Needs you: power-2 failed; it will be undone in 13 min unless you decide.",
    "worker": "No worker takes it from queue kube since 11:44:00.",
    "sleep": "Sleeps, until 12:30:00.",
    "signal": "Waits for the signal approval, until 15 Jan 18:45.",
    "child": "Waits for the end of welcome, run run_7 and 2 more.",
    "calls": "Waits for the step charge.",
}


def run(detail: str = "waiting", **more: Any) -> dict[str, Any]:
    """A run as the API shows it."""
    shown: dict[str, Any] = {
        "detail": detail,
        "waitingOn": None,
        "error": None,
        "steps": [],
        "compensation": [],
    }
    return {**shown, "retriedBy": [], **more}


def test_there_is_a_sentence_for_every_kind_of_wait() -> None:
    assert words.KINDS.keys() == KINDS.keys() == WAITS.keys()


@pytest.mark.parametrize("kind", WAITS)
def test_a_wait_is_a_sentence(kind: str) -> None:
    detail = "failed_held" if kind == "operator" else "waiting"
    shown = run(detail, waitingOn={"kind": kind, **WAITS[kind]})
    assert words.answer(shown, NOW).text == SAID[kind]


def test_a_kind_that_nobody_knows_is_said_as_the_api_says_it() -> None:
    shown = run(waitingOn={"kind": "moon", "text": "Waits for the moon."})
    assert words.answer(shown, NOW).text == "Waits for the moon."


@pytest.mark.parametrize("detail", [str(state) for state in RunStatus])
def test_every_state_has_an_answer(detail: str) -> None:
    assert words.answer(run(detail), NOW).text.endswith(".")


def test_a_failure_names_step_reason_and_what_was_undone() -> None:
    undone = [{"name": f"undo-{n}", "detail": "completed"} for n in range(2)]
    error = {"code": "STEP_FAILED", "step": "install", "message": "it reported failed"}
    said = words.answer(run("failed", error=error, compensation=undone), NOW)
    assert said.text == "Failed at install: it reported failed. All 2 steps before it were undone."
    assert said.todo == "STEP_FAILED"


@pytest.mark.parametrize(
    ("details", "undone"),
    [
        (["completed", "skipped"], "1 of the 2 steps to undo was undone."),
        (["completed", "resolved", "skipped"], "2 of the 3 steps to undo were undone."),
        (["skipped", "skipped"], "None of the 2 steps to undo was undone."),
        (["completed"], "The step before it was undone."),
    ],
)
def test_a_failure_does_not_say_that_what_an_operator_has_skipped_was_undone(
    details: list[str], undone: str
) -> None:
    undo = [{"name": f"undo-{n}", "detail": detail} for n, detail in enumerate(details)]
    said = words.answer(run("failed", error={"code": "X", "message": "no"}, compensation=undo), NOW)
    assert said.text == f"Failed: no. {undone}"


def test_what_needs_somebody_says_what_to_do() -> None:
    for detail in ("failed_held", "blocked", "compensation_failed"):
        shown = run(detail, waitingOn={"kind": "operator", "step": "power"})
        assert words.answer(shown, NOW).todo


def test_a_list_says_nothing_about_what_goes_well() -> None:
    assert words.brief(run("completed"), NOW) == ""
    assert (
        words.brief(run("failed", error={"code": "X", "step": "power", "message": "no"}), NOW) == "power: no"
    )
