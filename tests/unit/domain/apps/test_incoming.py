"""Events as clients send them: what could never be stored is refused before anything is read."""

from typing import Any

import pytest

from app.domain.apps.incoming import incoming, instant
from app.domain.apps.refusal import Refused

RUN = {"workflowName": "w", "deploymentId": "d"}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (None, "the body must be an object with eventType"),
        ([], "the body must be an object with eventType"),
        ({}, "unknown event type: undefined"),
        ({"eventType": "nonsense"}, "unknown event type: nonsense"),
        ({"eventType": ["run_created"]}, "unknown event type: ['run_created']"),
        ({"eventType": "hook_conflict"}, "unknown event type: hook_conflict"),
        ({"eventType": "run_failed", "eventData": [1]}, "eventData must be an object"),
        ({"eventType": "step_completed"}, "step_completed needs a correlationId"),
        ({"eventType": "step_completed", "correlationId": 5}, "correlationId must be a string"),
        ({"eventType": "run_created", "eventData": {"deploymentId": "d"}}, "needs eventData.workflowName"),
        (
            {"eventType": "run_created", "eventData": {**RUN, "workflowName": 5}},
            "needs eventData.workflowName",
        ),
        ({"eventType": "hook_created", "correlationId": "h"}, "hook_created needs eventData.token"),
        ({"eventType": "step_created", "correlationId": "s"}, "step_created needs eventData.stepName"),
        ({"eventType": "run_created", "specVersion": "6", "eventData": RUN}, "specVersion must be"),
        ({"eventType": "run_created", "specVersion": 2**31, "eventData": RUN}, "specVersion must be"),
        ({"eventType": "step_completed", "correlationId": "a\0b"}, "correlationId must have neither U+0000"),
        (
            {"eventType": "step_completed", "correlationId": "\ud800"},
            "correlationId must have neither U+0000",
        ),
        ({"eventType": "step_completed", "correlationId": "x" * 513}, "must have at most 512 bytes"),
        (
            {"eventType": "wait_created", "correlationId": "w", "eventData": {"resumeAt": "tomorrow"}},
            "eventData.resumeAt must be a date",
        ),
        (
            {"eventType": "step_started", "correlationId": "s", "eventData": {"attempt": True}},
            "eventData.attempt must be a positive integer",
        ),
    ],
)
def test_what_can_never_be_right_is_refused(body: Any, message: str) -> None:
    with pytest.raises(Refused, match=message.replace("[", r"\[").replace("+", r"\+")) as refused:
        incoming("wrun_1", body)

    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("given", "at"),
    [
        (None, None),
        ("2030-01-01T00:00:00.000Z", 1_893_456_000_000),
        ("2030-01-01T00:00:00.001Z", 1_893_456_000_001),
        ("2030-01-01T02:00:00.999+02:00", 1_893_456_000_999),
        ("2030-01-01", 1_893_456_000_000),
        ("Tue, 01 Jan 2030 00:00:00 GMT", 1_893_456_000_000),
        (1_893_456_000_001, 1_893_456_000_001),
        (1_893_456_000_001.0, 1_893_456_000_001),
    ],
)
def test_dates_keep_their_milliseconds(given: object, at: int | None) -> None:
    assert instant(given, "resumeAt") == at


@pytest.mark.parametrize(
    "given",
    ["", "x", True, [], 1e300, 2**80, "0001-01-01T00:00:00.000+14:00", "9999-12-31T23:59:59.999-14:00"],
)
def test_what_is_no_date_is_refused(given: object) -> None:
    with pytest.raises(Refused, match="resumeAt must be a date"):
        instant(given, "resumeAt")


def test_data_stays_as_it_was_sent() -> None:
    data = {"result": 5, "ownerMessageId": "msg_1", "resumeAt": "not a date of ours", "token": 7}

    event = incoming(
        "wrun_1", {"eventType": "step_completed", "correlationId": "s", "specVersion": 0, "eventData": data}
    )

    assert (event.data, event.spec_version) == (data, None)
