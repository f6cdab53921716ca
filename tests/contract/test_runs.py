"""One run: start, preview, follow, cancel, retry, operate, read its log (contracts/runs.rst#run-object)."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert

from app.api.v1.runs.schemas import FoldedStep, RunDetail, RunState, RunSummary
from app.cli.commands.openapi import SNAPSHOT
from app.record import tables
from app.record.runs import locks
from app.services.context import AppContext
from chains import catalogue
from tests.contract.plant import T0, UNKNOWN, ids, plant_events, plant_run, plant_server

PATH = "/v1/workflows/runs"
SERVER = f"srv_{UNKNOWN}"
ORDER = {"type": "server.inspect", "resourceId": SERVER}


@pytest.fixture
def server(world: AppContext) -> str:
    """A server that is free."""
    return plant_server(world, SERVER)


def code(answer: Any) -> tuple[int, str]:
    """Status and code of a refusal."""
    return answer.status_code, answer.get_json()["error"]["code"]


def test_a_started_run_is_202_with_where_to_follow_it(
    client: FlaskClient, server: str, published: list[Any]
) -> None:
    answer = client.post(PATH, json=ORDER)
    body = answer.get_json()
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"{PATH}/{body['data']['id']}"
    assert int(answer.headers["Retry-After"]) >= 1
    assert body["meta"]["workflowId"] == body["data"]["id"]
    assert body["meta"]["estimatedDuration"] == 30_000
    assert (body["data"]["status"], body["data"]["triggeredBy"]) == ("pending", "usr_local")
    assert published


@pytest.fixture(params=[True, False], ids=["locks", "locks-nothing"])
def order(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, server: str) -> dict[str, Any]:
    """An order of a type that takes a lock, and of one that takes none and is stored in one statement."""
    kind = replace(catalogue.lookup(ORDER["type"]), locks=request.param)
    monkeypatch.setitem(catalogue.types(), kind.name, kind)
    return ORDER


def test_a_run_is_answered_as_it_is_shown_from_then_on(client: FlaskClient, order: dict[str, Any]) -> None:
    started = client.post(PATH, json=order).get_json()["data"]
    assert started == client.get(f"{PATH}/{started['id']}").get_json()["data"]


def test_what_is_made_to_be_shown_has_the_members_of_its_schema(
    client: FlaskClient, order: dict[str, Any]
) -> None:
    client.post(PATH, json=order)
    (listed,) = client.get(PATH).get_json()["data"]
    detail = client.get(f"{PATH}/{listed['id']}").get_json()["data"]
    for shown, schema in ((listed, RunSummary()), (detail, RunDetail())):
        assert not schema.validate(shown)
        assert set(shown) == {field.data_key for field in schema.fields.values()}


def test_a_preview_is_200_with_the_plan_and_stores_nothing(
    client: FlaskClient, server: str, published: list[Any]
) -> None:
    answer = client.post(f"{PATH}?dryRun=true", json=ORDER)
    plan = answer.get_json()["data"]
    assert answer.status_code == 200
    assert [step["name"] for step in plan["steps"]] == ["validate", "read-hardware", "save-hardware"]
    assert SERVER in str(plan["locks"])
    assert (ids(client.get(PATH)), published) == ([], [])


def test_a_locked_resource_is_409_and_names_the_holder(client: FlaskClient, server: str) -> None:
    holder = client.post(PATH, json=ORDER).get_json()["data"]["id"]
    refused = client.post(PATH, json=ORDER)
    assert code(refused) == (409, "CONFLICT")
    assert holder in str(refused.get_json()["error"]["details"]["holder"])


def test_with_queue_the_second_run_waits_and_says_for_whom(client: FlaskClient, server: str) -> None:
    holder = client.post(PATH, json=ORDER).get_json()["data"]["id"]
    waiting = client.post(f"{PATH}?onConflict=queue", json=ORDER).get_json()["data"]
    assert (waiting["status"], waiting["detail"]) == ("pending", "lock_waiting")
    assert waiting["waitingOn"]["kind"] == "lock"
    assert holder in str(waiting["waitingOn"])
    assert ids(client.get(f"{PATH}?waiting=true")) == [waiting["id"]]


def test_a_lock_that_has_gone_to_the_next_in_line_is_not_taken_from_it(
    client: FlaskClient, server: str, world: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource, wanted, look = f"server/{server}", {"reason": "rebuilt by hand"}, locks.holder
    first = client.post(PATH, json=ORDER).get_json()["data"]["id"]
    following = client.post(f"{PATH}?onConflict=queue", json=ORDER).get_json()["data"]["id"]
    seen = [world.db.read(lambda tx: look(tx, resource))]  # Before the run that holds it is locked.
    client.post(f"{PATH}/{first}/cancel", json={})

    monkeypatch.setattr(locks, "holder", lambda *which: seen.pop() if seen else look(*which))
    refused = client.delete(f"/v1/locks/{resource}", json=wanted)
    held = client.get(f"/v1/locks?resource={resource}").get_json()["data"]
    assert (code(refused), held[0]["runId"]) == ((404, "NOT_FOUND"), following)


@pytest.mark.parametrize(
    ("order", "status", "field"),
    [
        ({"type": "no.such"}, 400, "type"),
        ({"type": "server.inspect"}, 400, "resourceId"),
        ({**ORDER, "input": {"colour": 1}}, 400, "input.colour"),
        ({"type": "server.provision", "resourceId": SERVER}, 400, "input.image"),
        ({**ORDER, "onFailure": "ignore"}, 400, "onFailure"),
        ({**ORDER, "callbackUrl": "ftp://x/"}, 400, "callbackUrl"),
    ],
)
def test_a_wrong_order_names_its_field_and_stores_nothing(
    client: FlaskClient, server: str, order: dict[str, Any], status: int, field: str
) -> None:
    answer = client.post(PATH, json=order)
    assert answer.status_code == status
    assert field in answer.get_json()["error"]["details"]["fields"]
    assert ids(client.get(PATH)) == []


def test_a_run_on_an_unknown_server_is_404(client: FlaskClient) -> None:
    assert code(client.post(PATH, json=ORDER)) == (404, "NOT_FOUND")


def test_the_detail_has_everything_the_list_has_and_more(client: FlaskClient, server: str) -> None:
    run_id = client.post(PATH, json=ORDER).get_json()["data"]["id"]
    listed = client.get(PATH).get_json()["data"][0]
    detail = client.get(f"{PATH}/{run_id}").get_json()["data"]
    assert set(listed) < set(detail)
    assert (detail["progress"], detail["error"], detail["steps"][0]["status"]) == (0, None, "pending")


def test_a_retried_run_and_its_retry_name_each_other(client: FlaskClient, world: AppContext) -> None:
    plant_run(world, "run_old", status="failed", completed_at=T0)
    plant_run(world, "run_new", retry_of="run_old", from_step="install")
    assert client.get(f"{PATH}/run_old").get_json()["data"]["retriedBy"] == ["run_new"]
    fresh = client.get(f"{PATH}/run_new").get_json()["data"]
    assert (fresh["retryOf"], fresh["fromStep"]) == ("run_old", "install")


def test_the_same_etag_is_304_until_something_happens(client: FlaskClient, server: str) -> None:
    run_id = client.post(PATH, json=ORDER).get_json()["data"]["id"]
    tag = client.get(f"{PATH}/{run_id}").headers["ETag"]
    unchanged = client.get(f"{PATH}/{run_id}", headers={"If-None-Match": tag})
    assert (unchanged.status_code, unchanged.get_data()) == (304, b"")
    client.post(f"{PATH}/{run_id}/cancel", json={})
    assert client.get(f"{PATH}/{run_id}", headers={"If-None-Match": tag}).status_code == 200


def test_an_action_on_a_run_that_moved_on_is_412(client: FlaskClient, server: str) -> None:
    run_id = client.post(PATH, json=ORDER).get_json()["data"]["id"]
    tag = client.get(f"{PATH}/{run_id}").headers["ETag"]
    client.post(f"{PATH}/{run_id}/actions", json={"action": "pause"})
    refused = client.post(f"{PATH}/{run_id}/cancel", json={}, headers={"If-Match": tag})
    assert code(refused) == (412, "PRECONDITION_FAILED")
    fresh = client.get(f"{PATH}/{run_id}").headers["ETag"]
    assert client.post(f"{PATH}/{run_id}/cancel", json={}, headers={"If-Match": fresh}).status_code == 202


def test_a_pending_run_is_cancelled_at_once(client: FlaskClient, server: str) -> None:
    run_id = client.post(PATH, json=ORDER).get_json()["data"]["id"]
    answer = client.post(f"{PATH}/{run_id}/cancel", json={"reason": "wrong one"})
    data = answer.get_json()["data"]
    assert (answer.status_code, data["status"], data["steps"]) == (202, "cancelled", [])
    assert code(client.post(f"{PATH}/{run_id}/cancel", json={})) == (409, "INVALID_STATE_TRANSITION")


def test_a_cancel_needs_no_body(client: FlaskClient, server: str) -> None:
    run_id = client.post(PATH, json=ORDER).get_json()["data"]["id"]
    assert client.post(f"{PATH}/{run_id}/cancel").status_code == 202


@pytest.mark.parametrize("verb", ["cancel", "retry", "actions"])
def test_a_run_that_is_none_is_404_for_every_verb(client: FlaskClient, verb: str) -> None:
    body = {"action": "resume"} if verb == "actions" else {}
    assert code(client.post(f"{PATH}/run_none/{verb}", json=body)) == (404, "NOT_FOUND")


def test_a_cancelled_run_is_retried_as_a_new_run(client: FlaskClient, server: str) -> None:
    old = client.post(PATH, json=ORDER).get_json()["data"]["id"]
    client.post(f"{PATH}/{old}/cancel", json={})
    answer = client.post(f"{PATH}/{old}/retry", json={"reason": "again"})
    data = answer.get_json()["data"]
    assert (answer.status_code, data["retryOf"]) == (202, old)
    assert answer.get_json()["meta"]["workflowId"] == data["id"] != old


def test_a_dry_retry_says_what_runs_again_and_stores_nothing(client: FlaskClient, server: str) -> None:
    old = client.post(PATH, json=ORDER).get_json()["data"]["id"]
    client.post(f"{PATH}/{old}/cancel", json={})
    before = client.get(PATH).get_json()["meta"]["pagination"]["total"]

    answer = client.post(f"{PATH}/{old}/retry?dryRun=true", json={})

    plan = answer.get_json()["data"]
    assert (answer.status_code, plan["retryOf"], plan["kept"]) == (200, old, [])
    assert plan["runsAgain"] == [step["key"] for step in plan["steps"]] != []
    assert plan["repeatsEffect"] == plan["wasUndone"] == []
    assert client.get(PATH).get_json()["meta"]["pagination"]["total"] == before
    assert client.get(f"{PATH}/{old}").get_json()["data"]["retriedBy"] == []


def test_a_dry_retry_is_refused_as_the_retry_would_be(client: FlaskClient, server: str) -> None:
    run_id = client.post(PATH, json=ORDER).get_json()["data"]["id"]
    answer = client.post(f"{PATH}/{run_id}/retry?dryRun=true", json={})
    assert code(answer) == (409, "INVALID_STATE_TRANSITION")


def test_a_run_offers_its_cancel_and_its_retry(client: FlaskClient, server: str) -> None:
    run_id = client.post(PATH, json=ORDER).get_json()["data"]["id"]
    assert "cancel" in client.get(f"{PATH}/{run_id}").get_json()["data"]["allowedActions"]

    client.post(f"{PATH}/{run_id}/cancel", json={})

    assert client.get(f"{PATH}/{run_id}").get_json()["data"]["allowedActions"] == ["retry"]


def test_times_and_headers_have_their_forms_in_the_document() -> None:
    document = json.loads(SNAPSHOT.read_text())
    run = document["components"]["schemas"]["RunDetail"]["properties"]
    times = [name for name, said in run.items() if name.endswith("At") and said.get("format") != "date-time"]
    assert times == []
    retry = document["paths"][f"{PATH}/{{runId}}/retry"]["post"]
    headers = {each["name"] for each in retry["parameters"] if each["in"] == "header"}
    assert headers == {"Idempotency-Key", "If-Match"}
    assert set(retry["responses"]["202"]["headers"]) == {"Location", "Retry-After"}


def test_two_retries_at_once_are_one(client: FlaskClient, server: str) -> None:
    old = client.post(PATH, json=ORDER).get_json()["data"]["id"]
    client.post(f"{PATH}/{old}/cancel", json={})
    client.post(f"{PATH}/{old}/retry", json={})
    assert code(client.post(f"{PATH}/{old}/retry", json={})) == (409, "CONFLICT")


def test_a_run_that_has_not_failed_is_not_retried(client: FlaskClient, server: str) -> None:
    run_id = client.post(PATH, json=ORDER).get_json()["data"]["id"]
    assert code(client.post(f"{PATH}/{run_id}/retry", json={})) == (409, "INVALID_STATE_TRANSITION")


def test_a_retry_from_a_step_that_is_none_names_the_field(client: FlaskClient, server: str) -> None:
    old = client.post(PATH, json=ORDER).get_json()["data"]["id"]
    client.post(f"{PATH}/{old}/cancel", json={})
    answer = client.post(f"{PATH}/{old}/retry", json={"fromStep": "nothing"})
    assert code(answer) == (400, "VALIDATION_ERROR")
    assert "fromStep" in answer.get_json()["error"]["details"]["fields"]


def test_a_paused_run_goes_on_when_unpaused(client: FlaskClient, server: str) -> None:
    run_id = client.post(PATH, json=ORDER).get_json()["data"]["id"]
    paused = client.post(f"{PATH}/{run_id}/actions", json={"action": "pause", "reason": "look first"})
    assert paused.get_json()["data"]["detail"] == "paused"
    assert "unpause" in paused.get_json()["data"]["allowedActions"]
    again = client.post(f"{PATH}/{run_id}/actions", json={"action": "unpause"})
    assert again.get_json()["data"]["detail"] == "queued"


def test_an_action_that_the_state_does_not_allow_is_409(client: FlaskClient, server: str) -> None:
    run_id = client.post(PATH, json=ORDER).get_json()["data"]["id"]
    answer = client.post(f"{PATH}/{run_id}/actions", json={"action": "resume"})
    assert code(answer) == (409, "INVALID_STATE_TRANSITION")


def test_an_action_that_is_none_is_400(client: FlaskClient, server: str) -> None:
    run_id = client.post(PATH, json=ORDER).get_json()["data"]["id"]
    assert client.post(f"{PATH}/{run_id}/actions", json={"action": "dance"}).status_code == 400


def test_events_are_read_page_by_page_in_their_order(client: FlaskClient, world: AppContext) -> None:
    plant_run(world, "run_1", event_seq=5)
    plant_events(
        world, "run_1", "run.created", "run.started", "step.started", "step.completed", "step.started"
    )
    first = client.get(f"{PATH}/run_1/events?limit=3")
    second = client.get(first.headers["Link"].partition(">")[0].strip("<"))
    seqs = [event["seq"] for page in (first, second) for event in page.get_json()["data"]]
    assert seqs == [1, 2, 3, 4, 5]
    assert second.get_json()["meta"]["pagination"]["hasMore"] is False


def test_events_after_a_number_are_the_later_ones(client: FlaskClient, world: AppContext) -> None:
    plant_run(world, "run_1", event_seq=2)
    plant_events(world, "run_1", "run.created", "run.started")
    data = client.get(f"{PATH}/run_1/events?after=1").get_json()["data"]
    assert [event["type"] for event in data] == ["run.started"]


def test_a_cursor_of_another_log_is_refused(client: FlaskClient, world: AppContext) -> None:
    for run_id in ("run_1", "run_2"):
        plant_run(world, run_id, event_seq=2)
        plant_events(world, run_id, "run.created", "run.started")
    cursor = client.get(f"{PATH}/run_1/events?limit=1").get_json()["meta"]["pagination"]["nextCursor"]
    assert client.get(f"{PATH}/run_2/events?cursor={cursor}").status_code == 400


def test_the_state_is_the_fold_of_the_log_up_to_an_event(client: FlaskClient, server: str) -> None:
    run_id = client.post(PATH, json=ORDER).get_json()["data"]["id"]
    client.post(f"{PATH}/{run_id}/cancel", json={})
    early = client.get(f"{PATH}/{run_id}/state?asOf=1").get_json()["data"]
    late = client.get(f"{PATH}/{run_id}/state").get_json()["data"]
    assert (early["asOf"], early["completedAt"]) == (1, None)
    assert late["asOf"] > 1
    assert late["completedAt"].endswith("Z")
    assert set(late) == {field.data_key for field in RunState().fields.values()}
    assert set(late["steps"][0]) == {field.data_key for field in FoldedStep().fields.values()}


def test_there_is_no_state_before_the_first_event(client: FlaskClient, server: str) -> None:
    run_id = client.post(PATH, json=ORDER).get_json()["data"]["id"]
    refused = client.get(f"{PATH}/{run_id}/state?asOf=0")
    assert code(refused) == (400, "VALIDATION_ERROR")
    assert list(refused.get_json()["error"]["details"]["fields"]) == ["asOf"]


def test_what_a_run_is_given_is_spelled_alike_at_every_door(client: FlaskClient, server: str) -> None:
    run_id = client.post(PATH, json=ORDER).get_json()["data"]["id"]
    shown, log, state, kept = (
        client.get(f"{PATH}/{run_id}{door}").get_json()["data"]
        for door in ("", "/events", "/state", "/export")
    )
    given = [shown["input"], log[0]["payload"]["input"], state["input"], kept["run"]["input"]]
    assert [*given, kept["events"][0]["payload"]["input"]] == [{"serverId": SERVER}] * 5
    assert not re.search(r'"[a-z]+_[a-z_]+":', json.dumps([shown, log, state, kept]))


def test_a_planned_step_is_called_alike_in_plan_log_and_state(client: FlaskClient, server: str) -> None:
    plan = client.post(f"{PATH}?dryRun=true", json=ORDER).get_json()["data"]
    run_id = client.post(PATH, json=ORDER).get_json()["data"]["id"]
    (created, *_) = client.get(f"{PATH}/{run_id}/events").get_json()["data"]
    state = client.get(f"{PATH}/{run_id}/state").get_json()["data"]
    planned = [(step["key"], step["name"], step["undo"]) for step in plan["steps"]]
    logged = [(step["key"], step["name"], step["undo"]) for step in created["payload"]["steps"]]
    assert logged == planned
    assert [(step["key"], step["name"]) for step in state["steps"]] == [step[:2] for step in planned]


@pytest.mark.parametrize("name", ["serverId", "server_id"])
def test_the_input_that_a_run_shows_may_be_sent_back(client: FlaskClient, server: str, name: str) -> None:
    for value, status in ((SERVER, 202), (f"srv_{UNKNOWN[::-1]}", 400)):
        answer = client.post(PATH, json={**ORDER, "input": {name: value}})
        assert answer.status_code == status, answer.get_data(as_text=True)


def test_a_state_beyond_the_log_is_400(client: FlaskClient, world: AppContext) -> None:
    plant_run(world, "run_1", event_seq=2)
    assert client.get(f"{PATH}/run_1/state?asOf=3").status_code == 400


def test_the_answer_to_an_ended_run_is_not_kept_back(client: FlaskClient, world: AppContext) -> None:
    plant_run(world, "run_1", status="completed", completed_at=T0)
    assert client.get(f"{PATH}/run_1?wait=30").get_json()["data"]["status"] == "completed"
    assert client.get(f"{PATH}/run_1?wait=31").status_code == 400


def test_logs_of_steps_never_show_credentials(client: FlaskClient, world: AppContext) -> None:
    plant_run(world, "run_1", event_seq=1)
    row = {"tenant_id": world.db.tenant, "run_id": "run_1", "seq": 1, "type": "step.log", "at": T0}
    payload = {"bmcPassword": "canary"}
    world.db.write(lambda tx: tx.execute(insert(tables.event), {**row, "payload": payload}))
    assert "canary" not in client.get(f"{PATH}/run_1/events").get_data(as_text=True)
