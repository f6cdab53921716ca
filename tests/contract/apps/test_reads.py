"""Lists and their cursors, single rows, and what is done to runs from outside."""

from typing import Any
from urllib.parse import quote

import pytest

from tests.support.apps import AppsApi

RUN = "wrun_01M7"
START = {"workflowName": "workflow//./w//greet", "deploymentId": "v1"}


def event(api: AppsApi, kind: str, correlation_id: str | None = None, run_id: str = RUN, **data: Any) -> Any:
    more = {} if correlation_id is None else {"correlationId": correlation_id}
    reply = api.event(run_id, kind, specVersion=6, eventData=data, **more)
    assert reply.status == 200
    return reply.json


def begun(api: AppsApi, run_id: str = RUN, **data: Any) -> None:
    event(api, "run_created", None, run_id, **{**START, **data})
    event(api, "run_started", None, run_id)


def walked(api: AppsApi, path: str, limit: int, key: str) -> list[Any]:
    found, cursor = [], ""
    while True:
        page = api.get(f"{path}limit={limit}&cursor={quote(cursor)}").json
        assert len(page["data"]) <= limit
        found += [row[key] for row in page["data"]]
        if not page["hasMore"]:
            return found
        cursor = page["cursor"]


def test_events_are_read_on_from_the_last_cursor(apps_api: AppsApi) -> None:
    begun(apps_api)
    first = apps_api.get(f"/runs/{RUN}/events").json
    nothing = apps_api.get(f"/runs/{RUN}/events?cursor={first['cursor']}").json
    event(apps_api, "step_created", "step_1", stepName="s")
    new = apps_api.get(f"/runs/{RUN}/events?cursor={first['cursor']}&sortOrder=asc").json
    back = apps_api.get(f"/runs/{RUN}/events?sortOrder=desc&limit=2").json

    assert (first["cursor"], first["hasMore"]) == (f"evnt_{2:026d}", False)
    assert nothing == {"data": [], "cursor": first["cursor"], "hasMore": False}
    assert [one["eventType"] for one in new["data"]] == ["step_created"]
    assert [one["eventType"] for one in back["data"]] == ["step_created", "run_started"]
    assert (back["cursor"], back["hasMore"]) == (f"evnt_{2:026d}", True)
    assert apps_api.get("/runs/unknown/events").json == {"data": [], "cursor": None, "hasMore": False}
    assert apps_api.get(f"/runs/{RUN}/events?limit=0").json == {"data": [], "cursor": None, "hasMore": True}


@pytest.mark.parametrize("cursor", [f"evnt_{10**25}", "9" * 30, "rubbish", "%00"])
def test_any_cursor_is_borne(apps_api: AppsApi, cursor: str) -> None:
    begun(apps_api)

    assert apps_api.get(f"/runs/{RUN}/events?cursor={cursor}").status == 200
    assert apps_api.get(f"/events/by-correlation?correlationId=c&cursor={cursor}").status == 200


@pytest.mark.parametrize("path", [f"/runs/{RUN}/events", "/runs", f"/runs/{RUN}/steps", "/hooks"])
@pytest.mark.parametrize("limit", ["-1", "many", "1.5", "%00"])
def test_a_wrong_limit_is_refused(apps_api: AppsApi, path: str, limit: str) -> None:
    refused = apps_api.get(f"{path}?limit={limit}")

    assert (refused.status, refused.json["message"]) == (400, "limit must be a non-negative integer")


def test_one_event(apps_api: AppsApi) -> None:
    begun(apps_api)
    found = apps_api.get(f"/runs/{RUN}/events/evnt_{2:026d}").json

    assert found["eventType"] == "run_started"
    for unknown in (f"evnt_{3:026d}", "1", "x"):
        assert apps_api.get(f"/runs/{RUN}/events/{unknown}").status == 404


def test_events_by_correlation_span_runs(apps_api: AppsApi) -> None:
    for run_id in ("wrun_1", "wrun_2"):
        begun(apps_api, run_id)
        event(apps_api, "step_created", "step_1", run_id, stepName="s")
    path = "/events/by-correlation?correlationId=step_1"
    first = apps_api.get(f"{path}&limit=1").json
    second = apps_api.get(f"{path}&cursor={first['cursor']}").json

    assert [one["runId"] for one in first["data"] + second["data"]] == ["wrun_1", "wrun_2"]
    assert int(first["cursor"]) < int(second["cursor"])
    assert [one["runId"] for one in apps_api.get(f"{path}&runId=wrun_2").json["data"]] == ["wrun_2"]
    assert apps_api.get("/events/by-correlation").json["message"] == "correlationId is required"


def test_runs_are_walked_newest_first_without_a_gap(apps_api: AppsApi) -> None:
    ids = [f"wrun_{number}" for number in range(9)]
    for run_id in ids:
        event(apps_api, "run_created", None, run_id, **START)

    assert sorted(walked(apps_api, "/runs?", 2, "runId")) == ids
    assert apps_api.get("/runs?limit=9").json["cursor"] is None


def test_runs_are_filtered(apps_api: AppsApi) -> None:
    begun(apps_api, "wrun_1")
    begun(apps_api, "wrun_2", workflowName="other")
    begun(apps_api, "wrun_3", deploymentId="v2")
    event(apps_api, "run_completed", None, "wrun_3", output=1)
    event(apps_api, "run_created", None, "wrun_4", **START)

    def ids(query: str) -> list[str]:
        return sorted(row["runId"] for row in apps_api.get(f"/runs?{query}").json["data"])

    assert ids("status=pending,running") == ["wrun_1", "wrun_2", "wrun_4"]
    assert ids("status=completed") == ["wrun_3"]
    assert ids("status=completed,pending") == ["wrun_3", "wrun_4"]
    assert ids("workflowName=other") == ["wrun_2"]
    assert ids("deploymentId=v2&status=running") == []
    assert apps_api.get("/runs?status=odd").status == 400
    assert apps_api.get("/runs?cursor=odd").status == 400


def test_payloads_are_left_out_where_they_are_not_wanted(apps_api: AppsApi) -> None:
    begun(apps_api, input=1)
    event(apps_api, "run_failed", error={"message": "x"})
    bare = apps_api.get(f"/runs/{RUN}?resolveData=none").json

    assert "input" not in bare
    assert bare["error"] == {"message": "x"}


def test_steps_by_id_and_in_order(apps_api: AppsApi) -> None:
    begun(apps_api)
    names = [f"s{number}" for number in range(5)]
    made = [event(apps_api, "step_created", f"c{name}", stepName=name)["step"] for name in names]

    assert walked(apps_api, f"/runs/{RUN}/steps?", 2, "stepName") == names
    step_id = made[2]["stepId"]
    for path in (f"{RUN}/steps/{step_id}", f"_/steps/{step_id}", f"{RUN}/steps/cs2"):
        assert apps_api.get(f"/runs/{path}").json == made[2]
    refused = apps_api.get(f"/runs/other/steps/{step_id}")
    assert (refused.status, refused.json["code"]) == (404, "WF_STEP_NOT_FOUND")


@pytest.mark.parametrize("token", ["plain", "a/b", "a//b", "/a", "a%2Fb", "x:y@z", "ü", "a b%"])
def test_hooks_by_any_token(apps_api: AppsApi, token: str) -> None:
    begun(apps_api)
    hook = event(apps_api, "hook_created", "hook_1", token=token)["hook"]

    assert apps_api.get(f"/hooks/by-token/{quote(token, safe='')}").json == hook
    assert apps_api.get("/hooks/hook_1").json == hook
    assert apps_api.get("/hooks/by-token/unknown").json["message"] == "Hook unknown not found"


def test_hooks_that_are_disposed_are_listed_with_their_run_alone(apps_api: AppsApi) -> None:
    begun(apps_api)
    for number in range(3):
        event(apps_api, "hook_created", f"hook_{number}", token=f"t{number}")
    event(apps_api, "hook_disposed", "hook_1")

    assert walked(apps_api, "/hooks?", 1, "hookId") == ["hook_0", "hook_2"]
    assert walked(apps_api, f"/hooks?runId={RUN}&", 2, "hookId") == ["hook_0", "hook_1", "hook_2"]
    assert apps_api.get("/hooks/by-token/t1").json["status"] == "disposed"


def test_a_run_is_cancelled_once(apps_api: AppsApi) -> None:
    begun(apps_api)
    event(apps_api, "hook_created", "hook_1", token="t")
    cancelled = apps_api.ask("POST", f"/runs/{RUN}/cancel")
    again = apps_api.ask("POST", f"/runs/{RUN}/cancel")

    assert (cancelled.status, cancelled.json["status"]) == (200, "cancelled")
    assert (again.status, again.json["message"]) == (400, "run is already in terminal state: cancelled")
    assert apps_api.ask("POST", "/runs/unknown/cancel").status == 404
    last = apps_api.get(f"/runs/{RUN}/events").json["data"][-1]
    assert (last["eventType"], last["specVersion"]) == ("run_cancelled", None)
    assert apps_api.get("/hooks/hook_1").json["status"] == "disposed"


def test_waking_up_ends_every_sleep_with_its_event(apps_api: AppsApi) -> None:
    begun(apps_api)
    for number in range(2):
        event(apps_api, "wait_created", f"wait_{number}", resumeAt="2099-01-01T00:00:00Z")
    woken = [apps_api.ask("POST", f"/runs/{RUN}/wake-up").json for _ in range(2)]
    types = [one["eventType"] for one in apps_api.get(f"/runs/{RUN}/events").json["data"]]

    assert woken == [{"stoppedCount": 2}, {"stoppedCount": 0}]
    assert types.count("wait_completed") == 2
    assert apps_api.ask("POST", "/runs/unknown/wake-up").status == 404


def test_waking_up_hastens_what_invokes_the_run_alone(apps_api: AppsApi) -> None:
    begun(apps_api)
    event(apps_api, "wait_created", "wait_1", resumeAt="2099-01-01T00:00:00.000Z")
    for queue in ("__wkf_workflow_w", "__shop_wkf_step_s", "mails"):
        asked = {"queueName": queue, "message": {"runId": RUN}, "delaySeconds": 600}
        apps_api.post("/queue", asked)
    late = apps_api.get("/messages").json["data"][-1]["dueAt"]

    assert apps_api.post(f"/runs/{RUN}/wake-up").json == {"stoppedCount": 1}

    due = {one["queueName"]: one["dueAt"] for one in apps_api.get("/messages").json["data"]}
    assert (due["mails"], sum(at < late for at in due.values())) == (late, 2)


def test_a_replay_is_a_new_run_with_a_message(apps_api: AppsApi) -> None:
    begun(apps_api, input="aQ==", attributes={"a": "1"})
    event(apps_api, "run_completed", output=1)
    reply = apps_api.ask("POST", f"/runs/{RUN}/replay")
    run = reply.json
    first = apps_api.get(f"/runs/{run['runId']}/events").json["data"]

    assert (reply.status, run["status"], run["input"], run["attributes"]) == (200, "pending", "aQ==", {})
    assert [one["eventType"] for one in first] == ["run_created"]
    assert first[0]["eventData"]["replayedFrom"] == RUN
    assert [hint.queue for hint in apps_api.published] == ["app"]
    assert apps_api.ask("POST", "/runs/unknown/replay").status == 404


def test_the_template_of_a_workflow(apps_api: AppsApi) -> None:
    name = START["workflowName"]
    missing = apps_api.get(f"/workflows/{quote(name, safe='')}/template")
    begun(apps_api)
    for number in range(2):
        event(apps_api, "step_created", f"c{number}", stepName=f"s{number}")
        event(apps_api, "step_started", f"c{number}")
        event(apps_api, "step_completed", f"c{number}")
    event(apps_api, "hook_created", "h", token="t")
    event(apps_api, "run_completed")
    found = apps_api.get(f"/workflows/{quote(name, safe='')}/template").json

    assert (missing.status, missing.json) == (404, {"error": "No completed run found for this workflow"})
    assert [step["stepName"] for step in found["steps"]] == ["s0", "s1"]
    assert (found["hasHooks"], found["hasWaits"], found["sourceRunId"]) == (True, False, RUN)
    assert apps_api.get(f"/workflows/{quote(name, safe='')}/template?deploymentId=v9").status == 404
