"""The write path: what each event does, what a repeated one is answered, what is refused."""

from typing import Any

import pytest

from app.record.apps import doctor
from tests.support.apps import AppsApi, Reply

RUN = "wrun_01M7"
START = {"workflowName": "workflow//./w//greet", "deploymentId": "v1"}
STEP = {"stepName": "step//./w//add"}


def begun(api: AppsApi, *, spec: int | None = 6, run_id: str = RUN, **data: Any) -> None:
    for kind in ("run_created", "run_started"):
        assert api.event(run_id, kind, specVersion=spec, eventData={**START, **data}).status == 200


def said(api: AppsApi, kind: str, correlation_id: str | None = None, query: str = "", **data: Any) -> Reply:
    more = {} if correlation_id is None else {"correlationId": correlation_id}
    return api.event(RUN, kind, query, specVersion=7, eventData=data, **more)


def log_of(api: AppsApi, run_id: str = RUN) -> list[tuple[str, str]]:
    events = api.get(f"/runs/{run_id}/events").json["data"]
    return [(event["eventId"], event["eventType"]) for event in events]


def slot(number: int) -> str:
    return f"evnt_{number:026d}"


def test_a_run_from_its_start_to_its_end(apps_api: AppsApi) -> None:
    data = {**START, "input": "ZGV2bA==", "executionContext": {"b": 1, "a": [None]}, "attributes": {"x": "1"}}
    created = apps_api.event(RUN, "run_created", specVersion=6, eventData=data)
    started = apps_api.event(RUN, "run_started", specVersion=6, eventData=data)
    completed = apps_api.event(RUN, "run_completed", specVersion=7, eventData={"output": {"b": 1.0, "a": 2}})

    assert created.status == started.status == completed.status == 200
    assert created.json["event"]["eventData"] == data
    run = created.json["run"]
    assert (run["status"], run["input"], run["attributes"]) == ("pending", "ZGV2bA==", {"x": "1"})
    assert list(run["executionContext"]) == ["b", "a"]
    assert "startedAt" not in run and "output" not in run
    assert started.json["run"]["status"] == "running"
    assert completed.json["run"]["output"] == {"b": 1.0, "a": 2}
    assert log_of(apps_api) == [
        (slot(1), "run_created"),
        (slot(2), "run_started"),
        (slot(3), "run_completed"),
    ]


def test_a_run_is_created_once(apps_api: AppsApi) -> None:
    begun(apps_api)
    again = apps_api.event(RUN, "run_created", specVersion=6, eventData={**START, "workflowName": "other"})

    assert again.json["event"]["eventId"] == slot(1)
    assert again.json["run"]["workflowName"] == START["workflowName"]
    assert len(log_of(apps_api)) == 2


def test_a_run_that_only_starts_is_created_by_it(apps_api: AppsApi) -> None:
    reply = apps_api.event(RUN, "run_started", specVersion=6, eventData=START)

    assert (reply.json["event"]["eventId"], reply.json["run"]["status"]) == (slot(2), "running")
    assert log_of(apps_api) == [(slot(1), "run_created"), (slot(2), "run_started")]


@pytest.mark.parametrize("ending", ["run_completed", "run_failed", "run_cancelled", "run_expired"])
def test_a_run_that_is_over_stays_so(apps_api: AppsApi, ending: str) -> None:
    begun(apps_api)
    over = said(apps_api, ending).json["run"]["status"]

    for kind in ("run_started", "run_completed", "run_failed", "run_cancelled", "run_expired"):
        late = said(apps_api, kind)
        assert (late.status, late.json["event"], late.json["run"]["status"]) == (200, None, over)
    assert len(log_of(apps_api)) == 3


def test_the_id_may_be_left_to_the_service(apps_api: AppsApi) -> None:
    run = apps_api.event("null", "run_created", specVersion=6, eventData=START).json["run"]

    assert run["runId"].startswith("wrun_") and len(run["runId"]) == 31
    assert apps_api.get(f"/runs/{run['runId']}").status == 200


def test_old_runs_have_numbers_for_ids(apps_api: AppsApi) -> None:
    begun(apps_api, spec=None)
    ids = [int(event_id) for event_id, _ in log_of(apps_api)]

    assert ids == sorted(set(ids))
    assert apps_api.get(f"/runs/{RUN}").json["specVersion"] is None


def test_a_step_is_started_with_its_input(apps_api: AppsApi) -> None:
    begun(apps_api)
    started = said(apps_api, "step_started", "step_1", input="aQ==", ownerMessageId="msg_5", **STEP)
    again = said(apps_api, "step_started", "step_1", input="aQ==", ownerMessageId="msg_6", **STEP)
    done = said(apps_api, "step_completed", "step_1", result=5)
    redone = said(apps_api, "step_completed", "step_1", result=6)

    step = started.json["step"]
    assert (step["status"], step["attempt"], step["input"]) == ("running", 1, "aQ==")
    assert "correlationId" not in step and len(step["stepId"]) == 36
    assert again.json["event"] == started.json["event"]
    assert (done.json["step"]["status"], done.json["step"]["output"]) == ("completed", 5)
    assert (redone.json["event"], redone.json["step"]["output"]) == (None, 5)
    refused = said(apps_api, "step_started", "step_1")
    assert (refused.status, refused.json["message"]) == (409, "Step step_1 is in terminal state: completed")
    assert [kind for _, kind in log_of(apps_api)[2:]] == ["step_started", "step_completed"]


def test_a_step_is_tried_again(apps_api: AppsApi) -> None:
    begun(apps_api)
    first = said(apps_api, "step_created", "step_1", **STEP)
    again = said(apps_api, "step_created", "step_1", **STEP)
    said(apps_api, "step_started", "step_1")
    waits = said(apps_api, "step_retrying", "step_1", error="e", retryAfter="2099-01-01T00:00:00.000Z")
    early = said(apps_api, "step_started", "step_1")
    said(apps_api, "step_retrying", "step_1", error={"message": "x"})
    second = said(apps_api, "step_started", "step_1").json["step"]

    assert again.json["event"] == first.json["event"]
    assert waits.json["step"]["retryAfter"] == "2099-01-01T00:00:00.000Z"
    assert (early.status, early.json["meta"]) == (425, {"retryAfter": "2099-01-01T00:00:00.000Z"})
    assert early.json["message"] == "Step step_1 retryAfter not reached"
    assert (second["status"], second["attempt"], second["error"]) == ("running", 2, {"message": "x"})
    assert "retryAfter" not in second


@pytest.mark.parametrize(
    ("kind", "shown"),
    [("step_completed", "step"), ("hook_received", "hook"), ("wait_completed", "wait")],
)
def test_events_of_what_was_never_created_are_kept(apps_api: AppsApi, kind: str, shown: str) -> None:
    begun(apps_api)
    reply = said(apps_api, kind, "unknown_1")

    assert (reply.status, reply.json["event"]["eventId"], shown in reply.json) == (200, slot(3), False)


def test_a_hook_receives_often_and_keeps_its_token_until_the_end(apps_api: AppsApi) -> None:
    begun(apps_api)
    begun(apps_api, run_id="wrun_2")
    hook = said(apps_api, "hook_created", "hook_1", token="t/1", metadata="aQ==", isWebhook=True).json["hook"]
    received = [said(apps_api, "hook_received", "hook_1", token="t/1", payload=n).json for n in (1, 2)]

    assert (hook["hookId"], hook["status"], hook["ownerId"], hook["isWebhook"]) == (
        "hook_1",
        "pending",
        "",
        True,
    )
    assert [one["hook"]["status"] for one in received] == ["received", "received"]
    assert [one["event"]["eventId"] for one in received] == [slot(4), slot(5)]
    other: dict[str, Any] = {"correlationId": "hook_9", "specVersion": 6, "eventData": {"token": "t/1"}}
    conflict = apps_api.event("wrun_2", "hook_created", **other).json
    assert conflict["event"]["eventType"] == "hook_conflict"
    assert conflict["event"]["eventData"] == {"token": "t/1", "conflictingRunId": RUN}
    assert "hook" not in conflict
    assert apps_api.event("wrun_2", "hook_created", **other).json == conflict
    said(apps_api, "run_completed")
    free = {**other, "correlationId": "hook_10"}
    assert apps_api.event("wrun_2", "hook_created", **free).json["hook"]["status"] == "pending"
    assert apps_api.get("/hooks/by-token/t/1").json["runId"] == "wrun_2"


def test_a_token_is_free_once_its_hook_is_disposed_of(apps_api: AppsApi) -> None:
    begun(apps_api)
    said(apps_api, "hook_created", "hook_1", token="t")
    disposed = said(apps_api, "hook_disposed", "hook_1", token="t").json["hook"]
    late = said(apps_api, "hook_received", "hook_1", token="t").json["hook"]
    fresh = said(apps_api, "hook_created", "hook_2", token="t").json

    assert (disposed["status"], "disposedAt" in disposed) == ("disposed", True)
    assert (late["status"], fresh["hook"]["status"]) == ("received", "pending")
    assert apps_api.get("/hooks/by-token/t").json["hookId"] == "hook_2"


def test_a_hook_is_created_once(apps_api: AppsApi) -> None:
    begun(apps_api)
    first = said(apps_api, "hook_created", "hook_1", token="t").json

    assert said(apps_api, "hook_created", "hook_1", token="t").json == first


def test_a_run_that_is_over_claims_no_token(apps_api: AppsApi) -> None:
    begun(apps_api)
    said(apps_api, "run_failed", error="e")
    late = said(apps_api, "hook_created", "hook_1", token="t")
    wait = said(apps_api, "wait_created", "wait_1", resumeAt="2099-01-01T00:00:00Z")

    assert (late.status, late.json["hook"]["status"]) == (200, "disposed")
    assert wait.json["wait"]["status"] == "completed"
    assert apps_api.get("/hooks").json["data"] == []


def test_a_wait_is_created_and_completed_once(apps_api: AppsApi) -> None:
    begun(apps_api)
    created = said(apps_api, "wait_created", "wait_1", resumeAt="2030-01-01T00:00:00.001Z").json
    again = said(apps_api, "wait_created", "wait_1", resumeAt="2031-01-01T00:00:00Z").json
    completed = said(apps_api, "wait_completed", "wait_1").json
    repeated = said(apps_api, "wait_completed", "wait_1").json

    assert (created["wait"]["resumeAt"], created["wait"]["completedAt"]) == ("2030-01-01T00:00:00.001Z", None)
    assert again == created
    assert (completed["event"]["eventId"], completed["wait"]["status"]) == (slot(4), "completed")
    assert (repeated["event"], repeated["wait"]) == (None, completed["wait"])


def test_a_wait_that_was_over_before_it_came_is_over(apps_api: AppsApi) -> None:
    begun(apps_api)
    said(apps_api, "wait_completed", "wait_1")
    made = said(apps_api, "wait_created", "wait_1", resumeAt="2099-01-01T00:00:00Z")

    assert (made.json["event"]["eventId"], made.json["wait"]["status"]) == (slot(4), "completed")
    assert apps_api.post(f"/runs/{RUN}/wake-up").json == {"stoppedCount": 0}
    assert apps_api.world.db.read(doctor.findings) == []


def test_attributes_are_set_once_for_each_correlation(apps_api: AppsApi) -> None:
    begun(apps_api, attributes={"keep": "1", "remove": "2"})
    changes = [{"key": "new", "value": "ü"}, {"key": "remove", "value": None}]
    reply = said(apps_api, "attr_set", "attr_1", changes=changes, writer={"type": "workflow"}).json
    again = said(apps_api, "attr_set", "attr_1", changes=changes, writer={"type": "workflow"}).json
    bad = said(apps_api, "attr_set", "attr_2", changes=[], writer={"type": "workflow"})

    assert reply["run"]["attributes"] == {"keep": "1", "new": "ü"}
    assert again["event"] == reply["event"]
    assert bad.status == 400
    shown = apps_api.get(f"/runs/{RUN}/events?resolveData=none").json["data"]
    assert ["eventData" in event for event in shown] == [False, False, True]


def test_what_others_wrote_is_reported(apps_api: AppsApi) -> None:
    begun(apps_api)
    said(apps_api, "step_created", "step_1", input="aQ==", **STEP)
    expected = said(apps_api, "step_created", "step_2", "?eventCount=3", **STEP).json
    behind = said(apps_api, "step_created", "step_3", "?eventCount=2&resolveData=none", **STEP).json
    retry = said(apps_api, "step_created", "step_3", "?eventCount=2", **STEP).json

    assert not {"events", "cursor", "hasMore"} & set(expected)
    assert [event["eventId"] for event in behind["events"]] == [slot(3), slot(4)]
    assert (behind["cursor"], behind["hasMore"]) == (slot(4), False)
    assert all("eventData" not in event for event in behind["events"])
    assert [event["correlationId"] for event in retry["events"]] == ["step_1", "step_2"]


@pytest.mark.parametrize("date", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
@pytest.mark.parametrize(("kind", "name"), [("wait_created", "resumeAt"), ("step_retrying", "retryAfter")])
def test_a_date_that_cannot_be_shown_is_not_kept(apps_api: AppsApi, kind: str, name: str, date: str) -> None:
    begun(apps_api)
    said(apps_api, "step_created", "c", **STEP)

    assert said(apps_api, kind, "c", **{name: date}).status == 400
    assert apps_api.get(f"/runs/{RUN}/steps").status == 200
    assert len(log_of(apps_api)) == 3


@pytest.mark.parametrize("count", ["-1", "1x", "1.0", "9007199254740992", "%00"])
def test_a_wrong_event_count_is_refused(apps_api: AppsApi, count: str) -> None:
    begun(apps_api)
    refused = said(apps_api, "step_created", "step_1", f"?eventCount={count}", **STEP)

    assert refused.status == 400
    assert refused.json["message"] == "eventCount must be a non-negative safe integer"
    assert len(log_of(apps_api)) == 2


@pytest.mark.parametrize(
    "value",
    [
        "aGVsbG8=",
        "boom not base64!",
        "eyJhIjoxfQ==",
        5,
        0.1,
        True,
        {"z": 1, "a": {"\u0000": "\u0000", "half": "\ud800"}},
        [[], {}, 2**70],
        "\u0000",
        "",
        0,
        False,
    ],
)
def test_payloads_come_back_as_they_were_sent(apps_api: AppsApi, value: Any) -> None:
    begun(apps_api, input=value)
    done = said(apps_api, "step_started", "step_1", input=value, **STEP)
    run = apps_api.get(f"/runs/{RUN}").json
    event = apps_api.get(f"/runs/{RUN}/events").json["data"][-1]

    assert (run["input"], done.json["step"]["input"], event["eventData"]["input"]) == (value, value, value)
    assert type(run["input"]) is type(value)


@pytest.mark.parametrize(
    "kind", ["run_completed", "step_completed", "hook_created", "wait_created", "attr_set"]
)
def test_an_unknown_run_is_not_found(apps_api: AppsApi, kind: str) -> None:
    data = {"token": "t", "stepName": "s"}
    reply = apps_api.event("wrun_x", kind, correlationId="c", specVersion=6, eventData=data)

    assert reply.status == 404
    assert reply.json == {
        "statusCode": 404,
        "code": "WF_RUN_NOT_FOUND",
        "error": "Run wrun_x not found",
        "message": "Run wrun_x not found",
    }
    assert log_of(apps_api, "wrun_x") == []


@pytest.mark.parametrize(
    "path", ["/runs/a%00b", "/hooks/a%00b", "/hooks/by-token/a%00b", "/runs/a/steps/%00"]
)
def test_what_cannot_be_stored_is_not_found(apps_api: AppsApi, path: str) -> None:
    assert apps_api.get(path).status == 404
