"""Schedules: made, judged, changed, paused, run now and deleted."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from app.auth import codesecrets
from app.engine.reconciler import schedules as schedule
from app.record.service import definitions, paused_types, schedules
from app.services.context import AppContext
from tests.contract.plant import UNKNOWN, bearer, ids, plant_server

PATH = "/v1/schedules"
RUNS = "/v1/workflows/runs"
SERVER = f"srv_{UNKNOWN}"
NIGHTLY = {"name": "nightly", "type": "server.inspect", "resourceId": SERVER, "cron": "30 2 * * *"}


@pytest.fixture(autouse=True)
def server(world: AppContext) -> None:
    """A server that may be inspected."""
    plant_server(world, SERVER)


def made(client: FlaskClient, **values: Any) -> dict[str, Any]:
    """A schedule."""
    answer = client.post(PATH, json={**NIGHTLY, **values})
    assert answer.status_code == 201, answer.get_json()
    data: dict[str, Any] = answer.get_json()["data"]
    return data


def let_it_be_due(world: AppContext, schedule_id: str) -> None:
    """The time comes, and a reconciler looks."""
    due = {"next_due_at": world.db.read(lambda tx: tx.now) - 1}
    world.db.write(lambda tx: schedules.note_turn(tx, schedule_id, due))
    world.db.write(lambda tx: schedule.fire(tx, schedule_id))


def test_a_schedule_says_what_it_starts_and_when(client: FlaskClient) -> None:
    answer = client.post(PATH, json={**NIGHTLY, "timezone": "Asia/Tokyo"})
    shown = answer.get_json()["data"]
    assert (shown["overlap"], shown["catchUp"], shown["paused"], shown["last"]) == (
        "skip",
        "latest",
        False,
        None,
    )
    assert [at[11:16] for at in shown["nextDueTimes"]] == ["17:30"] * 5
    assert shown["nextDueTimes"][0] == shown["nextDueAt"]
    assert client.get(answer.headers["Location"]).get_json()["data"] == shown
    assert ids(client.get(PATH, query_string={"type": "server.inspect"})) == [shown["id"]]
    assert ids(client.get(PATH, query_string={"type": "server.provision"})) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"cron": "61 * * * *"}, "cron"),
        ({"cron": "0 0 30 2 *"}, "cron"),
        ({"cron": None}, "cron"),
        ({"everyMs": 60_000}, "cron"),
        ({"everyMs": 999, "cron": None}, "everyMs"),
        ({"timezone": "Europe/Atlantis"}, "timezone"),
        ({"type": "server.dream"}, "type"),
        ({"input": {"colour": "red"}}, "input.colour"),
        ({"input": ["red"]}, "input"),
        ({"input": "red"}, "input"),
        ({"resourceId": None}, "resourceId"),
        ({"overlap": "perhaps"}, "overlap"),
        ({"catchUpLimit": 0}, "catchUpLimit"),
        ({"onFailure": "cry"}, "onFailure"),
    ],
)
def test_a_wrong_one_names_the_field_and_stores_nothing(
    client: FlaskClient, changes: dict[str, Any], field: str
) -> None:
    answer = client.post(PATH, json={**NIGHTLY, **changes})
    assert answer.status_code == 400
    assert set(answer.get_json()["error"]["details"]["fields"]) == {field}
    assert ids(client.get(PATH)) == []


def test_one_for_a_server_that_is_not_known_is_404(client: FlaskClient) -> None:
    unknown = SERVER.replace("v", "w")
    assert client.post(PATH, json={**NIGHTLY, "resourceId": unknown}).status_code == 404


def test_what_is_refused_only_today_may_be_scheduled(client: FlaskClient, world: AppContext) -> None:
    world.db.write(lambda tx: paused_types.change(tx, "server.inspect", True, "usr_test", "rain"))
    made(client)
    made(client, name="away", type="server.provision", input={"image": {"url": "https://i.example/a"}})


def test_one_of_a_code_workflow_takes_a_list(client: FlaskClient, world: AppContext) -> None:
    facts = {"stepTimeoutMs": 1_000}
    world.db.write(lambda tx: definitions.announce(tx, "report", "1", facts, "f"))
    code: dict[str, Any] = {"type": "report", "resourceId": None}
    assert made(client, **code, input=["weekly"])["input"] == ["weekly"]
    wrongs: list[dict[str, Any]] = [{"input": {}}, {"input": [], "workflowVersion": "9"}]
    for wrong in wrongs:
        assert client.post(PATH, json={**NIGHTLY, **code, "name": "x", **wrong}).status_code == 400


def test_what_a_code_workflow_calls_a_secret_is_sealed(client: FlaskClient, world: AppContext) -> None:
    facts = {"stepTimeoutMs": 1_000, "secretPlaces": {"password": 0}}
    world.db.write(lambda tx: definitions.announce(tx, "report", "1", facts, "f"))
    one = made(client, type="report", resourceId=None, input=["canary-Xq7", "attic"])
    client.patch(f"{PATH}/{one['id']}", json={"tags": ["a"]})
    row = world.db.read(lambda tx: schedules.read_schedule(tx, one["id"])) or {}
    assert "canary-Xq7" not in str(row)
    assert codesecrets.unseal(world.opener, row["input"][0]["$secret"]) == "canary-Xq7"
    assert row["input"][1] == "attic"


def test_two_of_a_name_are_409(client: FlaskClient) -> None:
    assert [client.post(PATH, json=NIGHTLY).status_code for _ in range(2)] == [201, 409]


def test_its_runs_are_listed_and_its_due_times_tell_of_them(client: FlaskClient, world: AppContext) -> None:
    one = made(client)
    let_it_be_due(world, one["id"])
    shown = client.get(f"{PATH}/{one['id']}").get_json()["data"]
    (run_id,) = ids(client.get(RUNS, query_string={"triggeredBy": one["triggeredBy"]}))
    assert (shown["started"], shown["missed"]) == (1, 0)
    assert (shown["last"]["runId"], shown["last"]["runStatus"]) == (run_id, "pending")
    (told,) = client.get(f"{PATH}/{one['id']}/occurrences").get_json()["data"]
    assert (told["outcome"], told["runId"], told["dueAt"]) == ("started", run_id, shown["last"]["dueAt"])


def test_what_was_refused_is_told(client: FlaskClient, world: AppContext) -> None:
    one = made(client)
    world.db.write(lambda tx: paused_types.change(tx, "server.inspect", True, "usr_test", "rain"))
    let_it_be_due(world, one["id"])
    last = client.get(f"{PATH}/{one['id']}").get_json()["data"]["last"]
    assert (last["outcome"], last["reason"]) == ("refused", "CONFLICT: server.inspect is paused: rain")
    page = client.get(f"{PATH}/{one['id']}/occurrences", query_string={"outcome": "refused"})
    assert len(page.get_json()["data"]) == 1


def test_cron_and_interval_take_each_others_place(client: FlaskClient) -> None:
    one = f"{PATH}/{made(client)['id']}"
    hourly = client.patch(one, json={"everyMs": 3_600_000}).get_json()["data"]
    assert (hourly["cron"], hourly["everyMs"]) == (None, 3_600_000)
    daily = client.patch(one, json={"cron": "@daily"}).get_json()["data"]
    assert (daily["cron"], daily["everyMs"]) == ("@daily", None)
    assert client.patch(one, json={"cron": None}).status_code == 400


def test_what_has_nothing_to_do_with_time_leaves_the_next_due_time(client: FlaskClient) -> None:
    one = made(client, cron=None, everyMs=60_000)
    changed = client.patch(f"{PATH}/{one['id']}", json={"name": "other", "overlap": "allow"})
    assert changed.get_json()["data"]["nextDueAt"] == one["nextDueAt"]


def test_a_change_is_checked_as_the_whole_that_it_makes(client: FlaskClient) -> None:
    one = f"{PATH}/{made(client)['id']}"
    assert client.patch(one, json={"input": {"colour": "red"}}).status_code == 400
    assert client.patch(one, json={"timezone": "Nowhere"}).status_code == 400
    assert client.get(one).get_json()["data"]["timezone"] == "UTC"


def test_changes_are_made_under_their_version_which_runs_leave_alone(
    client: FlaskClient, world: AppContext
) -> None:
    one = made(client)
    tag = client.get(f"{PATH}/{one['id']}").headers["ETag"]
    let_it_be_due(world, one["id"])
    for name, status in (("a", 200), ("b", 412)):
        answer = client.patch(f"{PATH}/{one['id']}", json={"name": name}, headers={"If-Match": tag})
        assert answer.status_code == status


def test_a_paused_one_is_due_for_nothing_until_it_goes_on(client: FlaskClient) -> None:
    one = f"{PATH}/{made(client)['id']}"
    paused = client.post(f"{one}/pause", json={"reason": "rain"}).get_json()["data"]
    assert (paused["paused"], paused["pausedReason"], paused["nextDueAt"]) == (True, "rain", None)
    goes_on = client.post(f"{one}/unpause").get_json()["data"]
    assert (goes_on["paused"], goes_on["pausedReason"], len(goes_on["nextDueTimes"])) == (False, None, 5)


def test_one_may_be_made_paused_and_run_now_all_the_same(client: FlaskClient) -> None:
    one = made(client, paused=True)
    answer = client.post(f"{PATH}/{one['id']}/run")
    run = answer.get_json()["data"]
    assert (answer.status_code, run["triggeredBy"]) == (202, one["triggeredBy"])
    (told,) = client.get(f"{PATH}/{one['id']}/occurrences").get_json()["data"]
    assert (told["manual"], told["actor"], told["runId"]) == (True, "usr_local", run["id"])


def test_asking_twice_with_one_key_runs_once(client: FlaskClient) -> None:
    one = made(client)
    asked = [client.post(f"{PATH}/{one['id']}/run", headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert len({answer.get_json()["data"]["id"] for answer in asked}) == 1


def test_running_now_what_is_paused_by_type_is_409(client: FlaskClient, world: AppContext) -> None:
    one = made(client)
    world.db.write(lambda tx: paused_types.change(tx, "server.inspect", True, "usr_test", None))
    assert client.post(f"{PATH}/{one['id']}/run").status_code == 409


def test_a_deleted_one_is_gone_and_its_runs_are_not(client: FlaskClient) -> None:
    one = made(client)
    run_id = client.post(f"{PATH}/{one['id']}/run").get_json()["data"]["id"]
    assert client.delete(f"{PATH}/{one['id']}").status_code == 204
    for path in ("", "/occurrences"):
        assert client.get(f"{PATH}/{one['id']}{path}").status_code == 404
    assert client.get(f"{RUNS}/{run_id}").status_code == 200


def test_whoever_may_only_read_may_not_schedule(guarded: FlaskClient, world: AppContext) -> None:
    headers = bearer(world, "key", "runs:read")
    assert guarded.post(PATH, json=NIGHTLY, headers=headers).status_code == 403
    assert guarded.get(PATH, headers=headers).status_code == 200
