"""Code workflows over HTTP: bare answers, strict bodies (contracts/code-workflows.rst#endpoints)."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from app.api.code import show
from app.api.code.schemas import WorkflowRun
from app.domain.rows.runs import StepRow
from app.record.runs import runs
from app.record.service import definitions, heartbeats
from app.record.session import Tx
from app.services import presence
from app.services.context import AppContext
from tests.contract.plant import bearer, plant_run

RUNS, EVENTS, HOOKS = "/api/workflows/runs", "/api/workflows/events", "/api/workflows/hooks"
FACTS = {"maxEvents": 50, "executionTimeoutMs": None, "stepTimeoutMs": 300_000}
ORDER = {"workflowName": "approve", "input": [{"amount": 5}]}
GREEDY = {"note": "x" * 262_144}
BAD = [
    ("workflowName", {"input": []}),
    ("workflowName", {**ORDER, "workflowName": 7}),
    ("input", {**ORDER, "input": {"amount": 5}}),
    ("input", {**ORDER, "input": [GREEDY]}),
    ("input", {**ORDER, "input": [{"$secret": "v1.x"}]}),
    ("kwargs", {**ORDER, "kwargs": [1]}),
    ("runId", {**ORDER, "runId": "no spaces"}),
    ("maxEvents", {**ORDER, "maxEvents": 0}),
    ("maxEvents", {**ORDER, "maxEvents": "100"}),
    ("executionTimeout", {**ORDER, "executionTimeout": "soon"}),
    ("executionTimeout", {**ORDER, "executionTimeout": -1}),
    ("executionTimeout", {**ORDER, "executionTimeout": True}),
    ("idempotencyKey", {**ORDER, "idempotencyKey": ""}),
    ("parentRunID", {**ORDER, "parentRunID": "run_1"}),
]


@pytest.fixture(autouse=True)
def announced(world: AppContext) -> None:
    """A workflow that a worker has announced, and serves."""
    world.db.write(lambda tx: definitions.announce(tx, "approve", "1", FACTS, "f1"))
    facts = {"workflows": [["approve", "1"]]}
    world.db.write(lambda tx: heartbeats.note(tx, presence.KIND, "here:1", facts))


def trigger(client: FlaskClient, **more: Any) -> dict[str, Any]:
    """A run."""
    answer = client.post(RUNS, json={**ORDER, **more})
    assert answer.status_code == 201, answer.get_data(as_text=True)
    run: dict[str, Any] = answer.get_json()
    return run


def refusal(answer: Any) -> tuple[int, str]:
    """Status and code of a refusal, which is nothing but an error."""
    body = answer.get_json()
    assert (set(body), answer.mimetype) == ({"error"}, "application/json")
    assert set(body["error"]) <= {"message", "code", "details"}
    return answer.status_code, body["error"]["code"]


def test_a_run_is_answered_bare(client: FlaskClient, published: list[Any]) -> None:
    answer = client.post(RUNS, json=ORDER)
    run = answer.get_json()
    assert (answer.status_code, answer.headers["Location"]) == (201, f"{RUNS}/{run['runId']}")
    assert (run["status"], run["workflowName"], run["input"]) == ("pending", "approve", [{"amount": 5}])
    assert (run["maxEvents"], run["deploymentId"]) == (50, "1")
    assert answer.headers["X-Request-Id"].startswith("req_")
    assert published


def test_what_is_shown_has_members_of_the_schema(client: FlaskClient) -> None:
    run = trigger(client, kwargs={"a": 1}, idempotencyKey="k", maxEvents=9, executionTimeout="90s")
    shown = client.get(f"{RUNS}/{run['runId']}").get_json()
    assert not WorkflowRun().validate(shown)
    assert set(shown) <= {field.data_key for field in WorkflowRun().fields.values()}
    assert (shown["idempotencyKey"], shown["executionTimeout"]) == ("k", 90_000)
    assert not {"output", "error", "startedAt", "completedAt"} & set(shown)


def test_a_bare_number_of_a_timeout_is_milliseconds(client: FlaskClient) -> None:
    assert trigger(client, executionTimeout=60)["executionTimeout"] == 60


@pytest.mark.parametrize(("field", "body"), BAD)
def test_a_bad_order_names_the_field_and_starts_nothing(
    client: FlaskClient, published: list[Any], field: str, body: dict[str, Any]
) -> None:
    answer = client.post(RUNS, json=body)
    assert refusal(answer) == (400, "VALIDATION_ERROR")
    assert field in "".join(answer.get_json()["error"]["details"]["fields"])
    assert (client.get(RUNS).get_json()["data"], published) == ([], [])


def test_a_workflow_that_nobody_announced_is_404(client: FlaskClient) -> None:
    answer = client.post(RUNS, json={**ORDER, "workflowName": "unheard-of"})
    assert refusal(answer) == (404, "NOT_FOUND")


def test_a_key_finds_the_first_run_whatever_became_of_it(client: FlaskClient) -> None:
    first = trigger(client, idempotencyKey="k")
    client.delete(f"{RUNS}/{first['runId']}")
    again = client.post(RUNS, json={**ORDER, "idempotencyKey": "k"})
    assert (again.status_code, again.get_json()["runId"]) == (200, first["runId"])
    other = client.post(RUNS, json={**ORDER, "idempotencyKey": "k", "input": []})
    assert refusal(other) == (409, "CONFLICT")


def test_a_run_id_of_ones_own_is_taken_once(client: FlaskClient) -> None:
    assert trigger(client, runId="custom-run-id-123")["runId"] == "custom-run-id-123"
    assert refusal(client.post(RUNS, json={**ORDER, "runId": "custom-run-id-123"})) == (409, "CONFLICT")


def test_an_id_and_a_key_together_find_the_same_run(client: FlaskClient) -> None:
    order = {**ORDER, "runId": "mine", "idempotencyKey": "k"}
    answers = [client.post(RUNS, json=order) for _ in "ab"]
    assert [(one.status_code, one.get_json()["runId"]) for one in answers] == [(201, "mine"), (200, "mine")]
    assert refusal(client.post(RUNS, json={**order, "input": []})) == (409, "CONFLICT")
    assert refusal(client.post(RUNS, json={**order, "idempotencyKey": "other"})) == (409, "CONFLICT")


def test_a_list_is_a_page_of_its_own_kind(client: FlaskClient) -> None:
    ids = [trigger(client)["runId"] for _ in range(3)]
    page = client.get(f"{RUNS}?workflowName=approve&status=pending&limit=2").get_json()
    assert ([run["runId"] for run in page["data"]], page["hasMore"]) == ([ids[2], ids[1]], True)
    rest = client.get(f"{RUNS}?workflowName=approve&status=pending&cursor={page['cursor']}").get_json()
    assert ([run["runId"] for run in rest["data"]], rest["cursor"], rest["hasMore"]) == (
        [ids[0]],
        None,
        False,
    )
    assert refusal(client.get(f"{RUNS}?status=completed&cursor={page['cursor']}")) == (
        400,
        "VALIDATION_ERROR",
    )


def test_runs_of_declared_types_are_not_shown(client: FlaskClient, world: AppContext) -> None:
    plant_run(world, "run_1")
    assert client.get(RUNS).get_json()["data"] == []
    for path in ("", "/events", "/children", "/parent"):
        assert refusal(client.get(f"{RUNS}/run_1{path}")) == (404, "NOT_FOUND")


def test_children_and_parent_know_each_other(client: FlaskClient) -> None:
    parent = trigger(client)["runId"]
    child = trigger(client, parentRunId=parent)["runId"]
    assert [run["runId"] for run in client.get(f"{RUNS}/{parent}/children").get_json()] == [child]
    assert client.get(f"{RUNS}/{child}/parent").get_json()["runId"] == parent
    assert refusal(client.get(f"{RUNS}/{parent}/parent")) == (404, "NOT_FOUND")
    assert refusal(client.post(RUNS, json={**ORDER, "parentRunId": "run_0"})) == (404, "NOT_FOUND")


def test_a_context_is_kept_and_told(client: FlaskClient) -> None:
    run_id = trigger(client)["runId"]
    answer = client.patch(f"{RUNS}/{run_id}", json={"executionContext": {"owner": "team-a"}})
    assert answer.get_json()["executionContext"] == {"owner": "team-a"}
    assert client.get(f"{RUNS}/{run_id}/events").get_json()[-1]["eventType"] == "workflow_annotated"


@pytest.mark.parametrize(
    "body", [{"status": "completed"}, {"output": 1}, {"error": None, "status": "cancelled"}]
)
def test_a_client_writes_no_outcome(client: FlaskClient, body: dict[str, Any]) -> None:
    run_id = trigger(client)["runId"]
    answer = client.patch(f"{RUNS}/{run_id}", json=body)
    assert refusal(answer) == (409, "INVALID_STATE_TRANSITION")
    assert client.get(f"{RUNS}/{run_id}").get_json()["status"] == "pending"


@pytest.mark.parametrize("patched", [True, False])
def test_a_run_is_cancelled_once(client: FlaskClient, patched: bool) -> None:
    path = f"{RUNS}/{trigger(client)['runId']}"
    answer = client.patch(path, json={"status": "cancelled"}) if patched else client.delete(path)
    assert (answer.status_code, answer.get_json()["status"]) == (200, "cancelled")
    assert "completedAt" in answer.get_json()
    assert refusal(client.delete(path)) == (409, "INVALID_STATE_TRANSITION")


def test_a_users_event_shows_its_own_type_and_payload(client: FlaskClient) -> None:
    run_id = trigger(client)["runId"]
    told = {"runId": run_id, "eventType": "step-started", "payload": {"step": "a"}, "correlationId": "c"}
    answer = client.post(EVENTS, json=told)
    shown = client.get(f"{RUNS}/{run_id}/events").get_json()
    assert (answer.status_code, shown[-1]) == (201, answer.get_json())
    assert {name: shown[-1][name] for name in told} == told
    assert [event["eventType"] for event in shown] == ["workflow_created", "step-started"]


def test_the_event_that_would_be_one_too_many_is_refused_and_ends_the_run(client: FlaskClient) -> None:
    run_id = trigger(client, maxEvents=2)["runId"]
    told = {"runId": run_id, "eventType": "a"}
    assert client.post(EVENTS, json=told).status_code == 201
    assert refusal(client.post(EVENTS, json=told)) == (409, "CIRCUIT_OPEN")
    ended = client.get(f"{RUNS}/{run_id}").get_json()
    assert (ended["status"], ended["error"]["code"]) == ("failed", "MAX_EVENTS_EXCEEDED")
    types = [event["eventType"] for event in client.get(f"{RUNS}/{run_id}/events").get_json()]
    assert types[:2] == ["workflow_created", "a"] and types.count("a") == 1


def test_events_can_be_asked_for_from_a_number_on(client: FlaskClient) -> None:
    run_id = trigger(client)["runId"]
    for name in "abc":
        client.post(EVENTS, json={"runId": run_id, "eventType": name})
    shown = client.get(f"{RUNS}/{run_id}/events?after=2&limit=1").get_json()
    assert [(event["seq"], event["eventType"]) for event in shown] == [(3, "b")]


def test_a_signal_is_taken_once_under_one_key(client: FlaskClient) -> None:
    run_id = trigger(client)["runId"]
    sent = {"name": "go", "data": {"approved": True}, "idempotencyKey": "s"}
    first, again = (client.post(f"{RUNS}/{run_id}/signals", json=sent) for _ in "ab")
    assert (first.status_code, first.get_json()) == (202, again.get_json())
    other = client.post(f"{RUNS}/{run_id}/signals", json={**sent, "data": None})
    assert refusal(other) == (409, "CONFLICT")


def test_an_ended_run_takes_nothing(client: FlaskClient) -> None:
    run_id = trigger(client)["runId"]
    client.delete(f"{RUNS}/{run_id}")
    for path, body in (
        (f"{RUNS}/{run_id}/signals", {"name": "go"}),
        (EVENTS, {"runId": run_id, "eventType": "late"}),
        (HOOKS, {"runId": run_id, "name": "late"}),
    ):
        assert refusal(client.post(path, json=body)) == (409, "INVALID_STATE_TRANSITION"), path


def hook(client: FlaskClient, run_id: str) -> dict[str, Any]:
    """A hook of a run."""
    wanted = {
        "runId": run_id,
        "name": "document-approval",
        "action": "approve",
        "metadata": {"documentId": "d"},
    }
    answer = client.post(HOOKS, json=wanted)
    made: dict[str, Any] = answer.get_json()
    assert (answer.status_code, {name: made[name] for name in wanted}) == (201, wanted)
    return made


def test_a_hook_is_called_by_its_token_alone_and_sends_its_signal(
    client: FlaskClient, guarded: FlaskClient
) -> None:
    run_id = trigger(client)["runId"]
    token = hook(client, run_id)["token"]
    answer = guarded.post(f"{HOOKS}/{token}", json={"approved": True})
    assert (answer.status_code, answer.get_json()) == (200, {"accepted": True})
    told = [event["eventType"] for event in client.get(f"{RUNS}/{run_id}/events").get_json()]
    assert {"hook_created", "hook_received", "signal_received"} <= set(told)
    assert guarded.post(f"{HOOKS}/{token}", json={"approved": True}).status_code == 200
    assert refusal(guarded.post(f"{HOOKS}/{token}", json={"approved": False})) == (410, "GONE")


@pytest.mark.parametrize("payload", [None, True, 5, "yes", [1], {"approved": True}])
def test_a_hook_takes_any_json(client: FlaskClient, payload: Any) -> None:
    token = hook(client, trigger(client)["runId"])["token"]
    assert client.post(f"{HOOKS}/{token}", json=payload).status_code == 200


def test_a_hook_dies_with_its_run_and_its_token_is_nowhere(client: FlaskClient, world: AppContext) -> None:
    run_id = trigger(client)["runId"]
    token = hook(client, run_id)["token"]
    client.delete(f"{RUNS}/{run_id}")
    assert refusal(client.post(f"{HOOKS}/{token}", json={})) == (410, "GONE")
    assert refusal(client.post(f"{HOOKS}/{'x' * 43}", json={})) == (404, "NOT_FOUND")
    log = str(world.db.read(lambda tx: runs.events_of(tx, run_id)))
    assert token not in log + client.get(f"{RUNS}/{run_id}/events").get_data(as_text=True)


def test_a_run_that_no_worker_serves_says_so(client: FlaskClient, world: AppContext) -> None:
    world.db.write(lambda tx: definitions.announce(tx, "approve", "2", FACTS, "f2"))
    served = trigger(client, deploymentId="1")["runId"]
    run_id = trigger(client, deploymentId="2")["runId"]
    waits = client.get(f"{RUNS}/{run_id}").get_json()["waitingOn"]
    assert waits.pop("since")
    assert waits.pop("text") == "No worker serves approve in version 2; start one that does."
    assert waits == {"kind": "worker", "workflow": "approve", "version": "2", "queue": "wf.approve@2"}
    assert "waitingOn" not in client.get(f"{RUNS}/{served}").get_json()
    shown = client.get(f"/v1/workflows/runs/{run_id}").get_json()["data"]["waitingOn"]
    assert (shown["kind"], shown["version"]) == ("worker", "2")


def test_definitions_say_whether_they_are_served(client: FlaskClient, world: AppContext) -> None:
    world.db.write(lambda tx: definitions.announce(tx, "approve", "2", FACTS, "f2"))
    shown = client.get("/api/workflows/definitions").get_json()
    assert [(one["deploymentId"], one["served"]) for one in shown] == [("1", True), ("2", False)]


def test_a_repeated_request_is_not_a_second_run(client: FlaskClient) -> None:
    first, again = (client.post(RUNS, json=ORDER, headers={"Idempotency-Key": "r"}) for _ in "ab")
    assert again.get_json() == first.get_json()
    assert again.headers["Idempotency-Replayed"] == "true"


def test_a_secret_argument_is_sealed_and_still_known_as_the_same(
    client: FlaskClient, world: AppContext
) -> None:
    facts = {**FACTS, "secretPlaces": {"password": 1, "pin": None}}
    world.db.write(lambda tx: definitions.announce(tx, "login", "1", facts, "f"))
    given = {"input": ["ada", "canary-Xq7"], "kwargs": {"pin": "canary-Pq3"}}
    order = {"workflowName": "login", **given, "idempotencyKey": "k"}
    first, again = (client.post(RUNS, json=order) for _ in "ab")
    assert (first.status_code, again.status_code) == (201, 200)
    stored = str(world.db.read(lambda tx: runs.read_run(tx, first.get_json()["runId"])))
    assert "canary" not in stored + first.get_data(as_text=True)


def test_unknown_paths_and_missing_keys_are_refused_bare(
    client: FlaskClient, guarded: FlaskClient, world: AppContext
) -> None:
    assert refusal(client.get("/api/workflows/nothing")) == (404, "NOT_FOUND")
    assert refusal(client.get(f"{RUNS}?nonsense=1")) == (400, "VALIDATION_ERROR")
    assert refusal(client.post(RUNS, data="{")) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert refusal(guarded.get(RUNS)) == (401, "UNAUTHORIZED")
    assert refusal(guarded.post(RUNS, json=ORDER, headers=bearer(world, "r", "runs:read"))) == (
        403,
        "FORBIDDEN",
    )


def test_a_run_of_code_reads_well_among_the_others(client: FlaskClient, world: AppContext) -> None:
    run_id = trigger(client)["runId"]
    world.db.write(lambda tx: _went_on(tx, run_id))
    shown = client.get(f"/v1/workflows/runs/{run_id}").get_json()["data"]
    assert [(step["name"], step["kind"], step["output"]) for step in shown["steps"]] == [
        ("fetch", "task", [1])
    ]
    assert (shown["output"], 0 <= shown["progress"] < 100) == ("done", True)
    (listed,) = client.get("/v1/workflows/runs").get_json()["data"]
    assert (listed["type"], listed["steps"]) == ("approve", [])
    assert client.get(f"/v1/workflows/runs/{run_id}/state").status_code == 200


def test_what_is_a_caller_s_own_is_spelled_as_he_spelled_it(client: FlaskClient) -> None:
    own = {"server_id": 1, "wiped_at": 5, "at": 7, "hardware": {"identity": {"device_id": 1}}, "undoable": {}}
    told = {"input": {"power_state": 1}, "steps": [{"reused_from": 2}], "until": 5}
    run_id = trigger(client, input=[own])["runId"]
    client.post(EVENTS, json={"runId": run_id, "eventType": "mine", "payload": told})
    shown, log, state = (
        client.get(f"/v1/workflows/runs/{run_id}{door}").get_json()["data"]
        for door in ("", "/events", "/state")
    )
    given = (shown["input"], log[0]["payload"]["input"], state["input"])
    assert [one["args"] for one in given] == [[own]] * 3
    assert log[-1]["payload"]["payload"] == told
    assert client.get(f"{RUNS}/{run_id}").get_json()["input"] == [own]


def _went_on(tx: Tx, run_id: str) -> None:
    """A call was made, and the function gave something."""
    main: StepRow = {"run_id": run_id, "queue": "wf.approve", "timeout_ms": 1000, "phase": "forward"}
    call: StepRow = {"key": "fetch", "name": "code.step", "ordinal": 1, "branch": "main/1", "kind": "task"}
    done: StepRow = {"status": "completed", "output": {"value": [1]}, "completed_at": tx.now}
    runs.insert_steps(tx, [{**main, **call, **done}])
    runs.change_run(tx, run_id, {"output": {"value": "done"}, "started_at": tx.now, "status": "running"})


def test_events_of_waits_and_of_the_function_have_names_of_their_own() -> None:
    names = {
        ("run.completed", None): "workflow_completed",
        ("step.completed", "fetch"): "step_completed",
        ("step.completed", "nap"): "wait_completed",
        ("step.retrying", "fetch"): "step_retrying",
        ("step.waiting", "main"): "wait_created",
        ("step.started", "main"): "advance_started",
        ("calls.ended", "main"): "calls_ended",
        ("hook.executed", None): "hook_received",
        ("signal.received", None): "signal_received",
    }
    assert {ours: show.event_type(*ours, {"nap"}) for ours in names} == names
