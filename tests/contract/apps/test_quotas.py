"""An application gets no more of the service than its quotas say, and a refused request writes nothing."""

from tests.support.apps import AppsApi

MADE = {"deploymentId": "v1", "workflowName": "workflow//./greet//greet"}


def made(api: AppsApi, run_id: str) -> int:
    """The status of an attempt to make a run."""
    return api.event(run_id, "run_created", specVersion=6, eventData=MADE).status


def test_open_runs_are_limited(apps_api: AppsApi) -> None:
    apps_api.ask("PUT", "/quotas", {"maxRuns": 2})

    assert [made(apps_api, f"wrun_{number}") for number in range(4)] == [200, 200, 429, 429]
    apps_api.event("wrun_0", "run_cancelled")
    assert [made(apps_api, "wrun_2"), made(apps_api, "wrun_3")] == [200, 429]
    assert len(apps_api.get("/runs").json["data"]) == 3


def test_events_of_a_run_are_limited(apps_api: AppsApi) -> None:
    apps_api.ask("PUT", "/quotas", {"maxEventsPerRun": 2})
    made(apps_api, "wrun_0")

    first = apps_api.event("wrun_0", "run_started", specVersion=6)
    second = apps_api.event("wrun_0", "step_created", correlationId="step_1", eventData={"stepName": "s"})

    assert (first.status, second.status) == (200, 429)
    assert second.json["message"] == "Event quota exceeded for this run"
    assert len(apps_api.get("/runs/wrun_0/events").json["data"]) == 2


def test_a_version_is_expired_with_all_that_runs_in_it(apps_api: AppsApi) -> None:
    for number in range(3):
        made(apps_api, f"wrun_{number}")
    apps_api.event("wrun_0", "hook_created", correlationId="hook_1", eventData={"token": "t"})
    status = apps_api.get("/versions/v1/status").json

    expired = [apps_api.post("/versions/v1/expire").json for _ in range(2)]

    assert (status["activeRuns"], status["pendingHooks"]) == (3, 1)
    assert [one["cancelledRuns"] for one in expired] == [3, 0]
    assert {run["status"] for run in apps_api.get("/runs").json["data"]} == {"cancelled"}
    events = apps_api.get("/runs/wrun_1/events").json["data"]
    assert [event["eventType"] for event in events] == ["run_created", "run_cancelled"]
