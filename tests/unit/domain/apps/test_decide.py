"""What an event does to what is known: writes, events, answers and refusals."""

from typing import Any

import pytest

from app.domain.apps.decide import Decision, Known, decide
from app.domain.apps.incoming import incoming
from app.domain.apps.refusal import Refused
from app.domain.apps.words import AppEventType

NOW = 1_893_456_000_000
START = {"workflowName": "w", "deploymentId": "d"}
OPEN_RUN = {"status": "running", "spec_version": 6, "attributes": "{}"}
STEP = {"status": "pending", "attempt": 1, "retry_after": None, "started_at": None}


def decided(
    kind: str, data: Any = None, *, run: Any = OPEN_RUN, entity: Any = None, **known: Any
) -> Decision:
    body = {"eventType": kind, "correlationId": "c", "specVersion": 6, "eventData": data}
    return decide(incoming("wrun_1", body), Known(now=NOW, run=run, entity=entity, **known))


def types(made: Decision) -> list[str]:
    return [str(event.type) for event in made.events]


def columns(made: Decision) -> dict[str, Any]:
    assert made.entity is not None
    return made.entity.columns


def test_a_run_begins_once() -> None:
    first, again = decided("run_created", START, run=None), decided("run_created", START)

    assert (types(first), first.run and first.run.insert) == (["run_created"], True)
    assert (types(again), again.run, again.earlier) == ([], None, AppEventType.RUN_CREATED)


def test_an_unknown_run_starts_with_what_it_needs_to_be_created() -> None:
    assert types(decided("run_started", START, run=None)) == ["run_created", "run_started"]
    with pytest.raises(Refused, match="Run wrun_1 not found"):
        decided("run_started", {"workflowName": "w"}, run=None)


@pytest.mark.parametrize("status", ["running", "completed", "failed", "cancelled", "expired"])
def test_a_run_does_not_start_again(status: str) -> None:
    made = decided("run_started", START, run={**OPEN_RUN, "status": status})

    assert made == Decision()


@pytest.mark.parametrize("kind", ["run_completed", "run_failed", "run_cancelled", "run_expired"])
def test_a_run_ends_once(kind: str) -> None:
    assert decided(kind).ends
    assert decided(kind, run={**OPEN_RUN, "status": "completed"}) == Decision()


@pytest.mark.parametrize(
    "kind",
    [kind for kind in AppEventType if kind not in ("run_created", "run_started", "hook_conflict")],
)
def test_an_unknown_run_is_not_found(kind: str) -> None:
    with pytest.raises(Refused) as refused:
        decided(kind, {"stepName": "s", "token": "t"}, run=None)

    assert (refused.value.status, refused.value.code) == (404, "WF_RUN_NOT_FOUND")


def test_a_step_is_created_once() -> None:
    made = decided("step_created", {"stepName": "s", "input": 5})
    again = decided("step_created", {"stepName": "s"}, logged=frozenset({AppEventType.STEP_CREATED}))

    assert (columns(made)["status"], columns(made)["input"]) == ("pending", "5")
    assert (types(again), again.earlier) == ([], AppEventType.STEP_CREATED)


def test_a_step_starts_with_its_input_without_having_been_created() -> None:
    made = decided("step_started", {"stepName": "s", "input": "x"})

    assert (columns(made)["status"], columns(made)["attempt"]) == ("running", 1)
    assert decided("step_started", {}).entity is None


@pytest.mark.parametrize(
    ("step", "data", "attempt"),
    [
        ({}, {}, 1),
        ({}, {"attempt": 3}, 3),
        ({"started_at": 1}, {}, 2),
        ({"started_at": 1}, {"attempt": 7}, 2),
        ({"started_at": 1, "attempt": 2**31 - 2}, {}, 2**31 - 2),  # A column holds hardly more.
        ({"status": "running"}, {"attempt": 2}, 2),
        ({"status": "failed", "started_at": 1}, {}, 1),
        ({"retry_after": NOW}, {}, 1),
    ],
)
def test_the_attempt_of_a_start(step: Any, data: Any, attempt: int) -> None:
    made = decided("step_started", data, entity={**STEP, **step})

    assert (columns(made)["attempt"], columns(made)["retry_after"]) == (attempt, None)


@pytest.mark.parametrize(
    ("step", "status"),
    [({"status": "completed"}, 409), ({"status": "cancelled"}, 409), ({"retry_after": NOW + 1}, 425)],
)
def test_a_step_that_may_not_start(step: Any, status: int) -> None:
    with pytest.raises(Refused) as refused:
        decided("step_started", {}, entity={**STEP, **step})

    assert refused.value.status == status
    assert refused.value.meta == ({"retryAfter": "2030-01-01T00:00:00.001Z"} if status == 425 else None)


def test_a_running_step_has_been_started_already() -> None:
    made = decided("step_started", {"input": "x", "stepName": "s"}, entity={**STEP, "status": "running"})

    assert (types(made), made.earlier) == ([], AppEventType.STEP_STARTED)


@pytest.mark.parametrize(
    ("kind", "before", "appended"),
    [
        ("step_completed", "running", True),
        ("step_completed", "failed", True),
        ("step_completed", "completed", False),
        ("step_failed", "running", True),
        ("step_failed", "failed", False),
        ("step_failed", "completed", False),
        ("step_retrying", "running", True),
        ("step_retrying", "failed", True),
        ("step_retrying", "completed", False),
    ],
)
def test_how_a_step_may_end(kind: str, before: str, appended: bool) -> None:
    made = decided(kind, {}, entity={**STEP, "status": before})

    assert (bool(made.events), made.entity is not None) == (appended, appended)


def test_a_token_that_is_held_is_a_conflict_told_once() -> None:
    holder = {"run_id": "wrun_2"}
    made = decided("hook_created", {"token": "t"}, holder=holder)
    again = decided("hook_created", {"token": "t"}, logged=frozenset({AppEventType.HOOK_CONFLICT}))

    assert made.events[0].data == {"token": "t", "conflictingRunId": "wrun_2"}
    assert (types(made), made.entity) == (["hook_conflict"], None)
    assert (types(again), again.earlier) == ([], AppEventType.HOOK_CONFLICT)


def test_a_run_that_is_over_takes_no_token_and_waits_for_nothing() -> None:
    over = {**OPEN_RUN, "status": "failed"}
    hook = columns(decided("hook_created", {"token": "t"}, run=over))
    wait = columns(decided("wait_created", {"resumeAt": "2031-01-01T00:00:00Z"}, run=over))
    received = columns(decided("hook_received", run=over, entity={"status": "disposed"}))

    assert (hook["status"], hook["disposed_at"]) == ("disposed", NOW)
    assert (wait["status"], wait["completed_at"]) == ("completed", NOW)
    assert received == {"received_at": NOW}


def test_a_hook_receives_as_often_as_it_is_sent_to() -> None:
    made = decided("hook_received", {"payload": 1}, entity={"status": "received"})

    assert (types(made), columns(made)["status"]) == (["hook_received"], "received")


def test_a_wait_is_over_once() -> None:
    assert types(decided("wait_completed", entity={"status": "waiting"})) == ["wait_completed"]
    assert decided("wait_completed", entity={"status": "completed"}) == Decision(of="wait")
    assert types(decided("wait_completed")) == ["wait_completed"]


def attr(*changes: Any, before: str = "{}", **data: Any) -> Decision:
    data = {"changes": list(changes), "writer": {"type": "workflow"}, **data}
    return decided("attr_set", data, run={**OPEN_RUN, "attributes": before})


def test_attributes_are_set_and_deleted() -> None:
    made = attr({"key": "a", "value": None}, {"key": "b", "value": "2"}, before='{"a":"1"}')

    assert made.run is not None
    assert made.run.columns["attributes"] == '{"b":"2"}'


@pytest.mark.parametrize(
    ("changes", "data", "message"),
    [
        ([], {}, "non-empty array"),
        ([{"key": "", "value": "1"}], {}, "1 to 256 characters"),
        ([{"key": "k" * 257, "value": "1"}], {}, "1 to 256 characters"),
        ([{"key": "k", "value": "ä" * 129}], {}, "at most 256 bytes"),
        ([{"key": "k", "value": 1}], {}, "must be a string"),
        ([{"key": "$k", "value": "1"}], {}, "reserved"),
        ([{"key": "k", "value": "1"}, {"key": "k", "value": "2"}], {}, "changed twice"),
        ([{"key": f"k{n}", "value": "1"} for n in range(65)], {}, "at most 64"),
        ([{"key": "k", "value": "1"}], {"writer": {"type": "step", "stepId": "s", "attempt": 0}}, "writer"),
        ([{"key": "k", "value": "1"}], {"writer": {"type": "workflow", "more": 1}}, "writer"),
    ],
)
def test_attributes_have_limits(changes: Any, data: Any, message: str) -> None:
    with pytest.raises(Refused, match=message):
        attr(*changes, **data)


def test_attributes_need_a_run_that_knows_them() -> None:
    with pytest.raises(Refused, match="attr_set requires a specVersion 4 run"):
        decided("attr_set", {}, run={**OPEN_RUN, "spec_version": 3})
    with pytest.raises(Refused, match="run is already in terminal state: completed"):
        decided("attr_set", {}, run={**OPEN_RUN, "status": "completed"})
