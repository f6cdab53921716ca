"""Servers, pools, locks and hooks (contracts/runs.rst#servers-pools-and-hooks)."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert, select

from app.auth.tokens import issue_hook_token
from app.domain.servers import ALLOWED
from app.record import tables
from app.services.context import AppContext
from tests.contract.plant import REGISTRATION, T0, UNKNOWN, ids, plant_run, plant_server

SERVERS = "/v1/servers"
SERVER = f"srv_{UNKNOWN}"
IMAGE = {"url": "http://images.lan/debian.qcow2", "checksumType": "sha256", "checksum": "ab"}


def code(answer: Any) -> tuple[int, str]:
    """Status and code of a refusal."""
    return answer.status_code, answer.get_json()["error"]["code"]


def fields(answer: Any) -> set[str]:
    """The fields that a refusal names."""
    return set(answer.get_json()["error"]["details"]["fields"])


def test_a_registration_is_202_with_the_server_and_its_run(client: FlaskClient) -> None:
    answer = client.post(SERVERS, json=REGISTRATION)
    body = answer.get_json()
    assert (answer.status_code, body["data"]["state"]) == (202, "registering")
    assert answer.headers["Location"] == f"/v1/workflows/runs/{body['meta']['workflowId']}"
    assert body["data"]["runId"] == body["meta"]["workflowId"]


def test_the_credential_is_sealed_and_shown_nowhere(client: FlaskClient, world: AppContext) -> None:
    body = client.post(SERVERS, json=REGISTRATION).get_json()
    paths = (SERVERS, f"{SERVERS}/{body['data']['id']}", f"/v1/workflows/runs/{body['meta']['workflowId']}")
    shown = [client.get(path).get_data(as_text=True) for path in paths]
    kept = world.db.read(lambda tx: [str(tx.rows(select(each))) for each in tables.metadata.tables.values()])
    assert not [text for text in [*shown, *kept] if "canary-Xq7" in text]


def test_the_same_controller_twice_is_409(client: FlaskClient) -> None:
    client.post(SERVERS, json=REGISTRATION)
    assert code(client.post(SERVERS, json=REGISTRATION)) == (409, "CONFLICT")


@pytest.mark.parametrize("spelled", [" 10.0.7.12", "10.0.7.12.", "10.0.7.12:0623", "[::ffff:10.0.7.12]"])
def test_the_same_controller_in_another_spelling_is_409(client: FlaskClient, spelled: str) -> None:
    server_id = client.post(SERVERS, json={**REGISTRATION, "bmcAddress": "10.0.7.12"}).get_json()["data"][
        "id"
    ]
    answer = client.post(SERVERS, json={**REGISTRATION, "bmcAddress": spelled})
    assert code(answer) == (409, "CONFLICT")
    assert answer.get_json()["error"]["details"]["server"] == server_id


@pytest.mark.parametrize(
    "address", ["10.0.7.12:²", "10.0.7.12:٤٤٣", "bmc 7", "127.0.0.1\x1b[2J", "010.0.7.12"]
)
@pytest.mark.parametrize("dry_run", ["false", "true"])
def test_what_is_no_address_is_400(client: FlaskClient, address: str, dry_run: str) -> None:
    answer = client.post(f"{SERVERS}?dryRun={dry_run}", json={**REGISTRATION, "bmcAddress": address})
    assert (code(answer), fields(answer)) == ((400, "VALIDATION_ERROR"), {"bmcAddress"})


def test_a_registration_sent_again_under_its_key_is_the_same_run(client: FlaskClient) -> None:
    ours = {**REGISTRATION, "idempotencyKey": "rack-7"}
    first, again = (client.post(SERVERS, json=ours).get_json() for _ in range(2))
    assert again["meta"]["workflowId"] == first["meta"]["workflowId"]
    assert again["data"]["id"] == first["data"]["id"]


def test_a_key_used_for_another_machine_is_409(client: FlaskClient) -> None:
    client.post(SERVERS, json={**REGISTRATION, "idempotencyKey": "rack-7"})
    other = {**REGISTRATION, "bmcAddress": "10.0.7.99:623", "idempotencyKey": "rack-7"}
    assert code(client.post(SERVERS, json=other)) == (409, "CONFLICT")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"bmcAddress": None}, "bmcAddress"),
        ({"bmcAddress": "http://x/"}, "bmcAddress"),
        ({"protocol": "telnet"}, "protocol"),
        ({"bootMac": "52:54"}, "bootMac"),
        ({"bmcCredential": {"username": "a"}}, "bmcCredential.password"),
        ({"bmcCredential": {"username": "a", "password": "b", "x": 1}}, "bmcCredential.x"),
        ({"poolId": f"pool_{UNKNOWN}"}, "poolId"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_registration_names_the_field_and_stores_nothing(
    client: FlaskClient, changes: dict[str, Any], field: str
) -> None:
    answer = client.post(SERVERS, json={**REGISTRATION, **changes})
    assert (answer.status_code, fields(answer)) == (400, {field})
    assert ids(client.get(SERVERS)) == []


def test_a_registration_can_be_previewed(client: FlaskClient) -> None:
    answer = client.post(f"{SERVERS}?dryRun=true", json=REGISTRATION)
    assert (answer.status_code, answer.get_json()["data"]["type"]) == (200, "server.register")
    assert ids(client.get(SERVERS)) == []


def test_many_are_registered_with_one_result_each(client: FlaskClient) -> None:
    second = {**REGISTRATION, "bmcAddress": "127.0.0.1:9402"}
    answer = client.post(f"{SERVERS}:import", json=[REGISTRATION, REGISTRATION, 7, second])
    results = answer.get_json()["data"]
    assert answer.status_code == 207
    assert [(one["index"], one["status"]) for one in results] == [(0, 202), (1, 409), (2, 400), (3, 202)]
    assert results[0]["workflowId"].startswith("run_")
    assert results[1]["error"]["code"] == "CONFLICT"


@pytest.mark.parametrize("body", [{}, []])
def test_an_import_is_a_list_of_something(client: FlaskClient, body: Any) -> None:
    assert client.post(f"{SERVERS}:import", json=body).status_code == 400


@pytest.mark.parametrize("state", sorted(ALLOWED))
def test_the_state_says_which_actions_are_allowed_and_is_believed(
    client: FlaskClient, world: AppContext, state: str
) -> None:
    plant_server(world, SERVER, state=state)
    shown = client.get(f"{SERVERS}/{SERVER}").get_json()["data"]
    answer = client.post(f"{SERVERS}/{SERVER}/actions", json={"action": "inspect"})
    assert answer.status_code == (202 if "inspect" in shown["allowedActions"] else 409)


def test_an_action_shows_the_state_that_it_leads_through(client: FlaskClient, world: AppContext) -> None:
    plant_server(world, SERVER)
    answer = client.post(f"{SERVERS}/{SERVER}/actions", json={"action": "provision", "image": IMAGE})
    body = answer.get_json()
    assert (answer.status_code, body["data"]["state"]) == (202, "provisioning")
    run = client.get(answer.headers["Location"]).get_json()["data"]
    assert (run["type"], run["input"]["image"], run["onFailure"]) == ("server.provision", IMAGE, "hold")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"action": "dance"}, "action"),
        ({"action": "provision"}, "image"),
        ({"action": "provision", "image": {"url": "file:///dev/zero"}}, "image.url"),
        ({"action": "maintenance"}, "enabled"),
        ({"action": "inspect", "image": IMAGE}, "image"),
        ({"action": "reboot", "mode": "warm"}, "mode"),
    ],
)
def test_a_wrong_action_names_the_field(
    client: FlaskClient, world: AppContext, body: dict[str, Any], field: str
) -> None:
    plant_server(world, SERVER)
    answer = client.post(f"{SERVERS}/{SERVER}/actions", json=body)
    assert (answer.status_code, fields(answer)) == (400, {field})


def test_an_action_can_be_previewed(client: FlaskClient, world: AppContext) -> None:
    plant_server(world, SERVER)
    body = {"action": "reboot", "mode": "hard"}
    plan = client.post(f"{SERVERS}/{SERVER}/actions?dryRun=true", json=body).get_json()["data"]
    assert [step["atMostOnce"] for step in plan["steps"]] == [False, True, False]
    assert client.get("/v1/workflows/runs").get_json()["data"] == []


def test_force_is_a_hard_power_off(client: FlaskClient, world: AppContext) -> None:
    plant_server(world, SERVER)
    answer = client.post(f"{SERVERS}/{SERVER}/actions", json={"action": "powerOff", "force": True})
    run = client.get(answer.headers["Location"]).get_json()["data"]
    assert run["input"]["mode"] == "hard"


def test_a_server_is_retired_by_delete(client: FlaskClient, world: AppContext) -> None:
    plant_server(world, SERVER)
    plan = client.delete(f"{SERVERS}/{SERVER}?dryRun=true").get_json()["data"]
    answer = client.delete(f"{SERVERS}/{SERVER}?force=true")
    assert plan["type"] == "server.decommission"
    assert (answer.status_code, answer.get_json()["data"]["state"]) == (202, "decommissioning")


def test_what_people_say_about_a_server_can_change(client: FlaskClient, world: AppContext) -> None:
    plant_server(world, SERVER, tags=["a"], description="old")
    body = {"displayName": "n", "tags": ["b"], "description": None}
    data = client.patch(f"{SERVERS}/{SERVER}", json=body).get_json()["data"]
    assert (data["displayName"], data["tags"], data["description"]) == ("n", ["b"], None)


def test_a_change_of_what_somebody_else_changed_is_412(client: FlaskClient, world: AppContext) -> None:
    plant_server(world, SERVER)
    tag = client.get(f"{SERVERS}/{SERVER}").headers["ETag"]
    first = client.patch(f"{SERVERS}/{SERVER}", json={"displayName": "a"}, headers={"If-Match": tag})
    second = client.patch(f"{SERVERS}/{SERVER}", json={"displayName": "b"}, headers={"If-Match": tag})
    assert first.status_code == 200
    assert code(second) == (412, "PRECONDITION_FAILED")
    fresh = {"If-Match": first.headers["ETag"]}
    assert client.patch(f"{SERVERS}/{SERVER}", json={"displayName": "b"}, headers=fresh).status_code == 200


def test_an_unchanged_server_is_304(client: FlaskClient, world: AppContext) -> None:
    plant_server(world, SERVER)
    tag = client.get(f"{SERVERS}/{SERVER}").headers["ETag"]
    assert client.get(f"{SERVERS}/{SERVER}", headers={"If-None-Match": tag}).status_code == 304


def test_a_new_credential_is_taken_and_not_shown(client: FlaskClient, world: AppContext) -> None:
    plant_server(world, SERVER)
    login = {"username": "root", "password": "canary-2"}
    answer = client.put(f"{SERVERS}/{SERVER}/credential", json=login)
    assert (answer.status_code, answer.get_data()) == (204, b"")
    assert client.get(f"{SERVERS}/{SERVER}").get_json()["data"]["credentialVersion"] == 2


@pytest.fixture
def inventory(world: AppContext) -> list[str]:
    """Servers that differ in every filter, newest first."""
    pool_id = f"pool_{UNKNOWN}"
    names = [f"srv_{letter}{UNKNOWN[1:]}" for letter in "012"]
    plant_server(world, names[0], state="error", health="critical", created_at=T0)
    plant_server(world, names[1], pool_id=pool_id, tags=["rack-7"], created_at=T0 + 1)
    plant_server(world, names[2], serial="C0FF%EE", display_name="Spare", created_at=T0 + 2)
    plant_server(world, f"srv_9{UNKNOWN[1:]}", state="decommissioned", created_at=T0 + 3)
    return names[::-1]


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("", [0, 1, 2]),
        ("state=error", [2]),
        (f"poolId=pool_{UNKNOWN}", [1]),
        ("tag=rack-7", [1]),
        ("health=critical", [2]),
        ("q=c0ff%25", [0]),
        ("q=spare", [0]),
        ("q=%25", [0]),
        ("q=10.0.0.1", [0, 1, 2]),
    ],
)
def test_a_filter_leaves_the_servers_that_match(
    client: FlaskClient, inventory: list[str], query: str, places: list[int]
) -> None:
    assert ids(client.get(f"{SERVERS}?{query}")) == [inventory[place] for place in places]


def test_servers_are_paged(client: FlaskClient, inventory: list[str]) -> None:
    first = client.get(f"{SERVERS}?limit=2")
    second = client.get(first.headers["Link"].partition(">")[0].strip("<"))
    assert ids(first) + ids(second) == inventory


def make_pool(client: FlaskClient, name: str = "gpu") -> str:
    """A pool."""
    pool_id: str = client.post("/v1/pools", json={"name": name}).get_json()["data"]["id"]
    return pool_id


def test_a_pool_lives_from_post_to_delete(client: FlaskClient) -> None:
    made = client.post("/v1/pools", json={"name": "gpu", "labels": {"site": "fra"}})
    path = made.headers["Location"]
    changed = client.patch(path, json={"name": "gpu-2"}, headers={"If-Match": '"1"'})
    assert (made.status_code, changed.get_json()["data"]["name"]) == (201, "gpu-2")
    assert code(client.patch(path, json={"name": "x"}, headers={"If-Match": '"1"'})) == (
        412,
        "PRECONDITION_FAILED",
    )
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404


def test_a_pool_counts_its_machines_and_the_free_ones(client: FlaskClient, world: AppContext) -> None:
    pool_id = make_pool(client)
    plant_server(world, f"srv_0{UNKNOWN[1:]}", pool_id=pool_id)
    plant_server(world, f"srv_1{UNKNOWN[1:]}", pool_id=pool_id, state="provisioned")
    plant_server(world, f"srv_2{UNKNOWN[1:]}", pool_id=pool_id, state="decommissioned")
    assert client.get(f"/v1/pools/{pool_id}").get_json()["data"]["capacity"] == {"total": 2, "free": 1}
    assert client.get("/v1/pools").get_json()["data"][0]["capacity"] == {"total": 2, "free": 1}
    assert code(client.delete(f"/v1/pools/{pool_id}")) == (409, "CONFLICT")


def test_a_pool_of_a_taken_name_is_409(client: FlaskClient) -> None:
    make_pool(client)
    assert code(client.post("/v1/pools", json={"name": "gpu"})) == (409, "CONFLICT")


def test_an_action_that_is_sent_again_after_its_run_has_ended_shows_the_server_as_it_is(
    client: FlaskClient, world: AppContext
) -> None:
    plant_server(world, SERVER)
    order = {"action": "inspect", "idempotencyKey": "once"}
    first = client.post(f"{SERVERS}/{SERVER}/actions", json=order).get_json()
    run_id = first["meta"]["workflowId"]
    client.post(f"/v1/workflows/runs/{run_id}/cancel", json={})
    again = client.post(f"{SERVERS}/{SERVER}/actions", json=order).get_json()
    assert again["meta"]["workflowId"] == run_id
    assert (first["data"]["state"], again["data"]["state"]) == ("inspecting", "available")


def test_a_pool_gives_as_many_machines_as_are_asked_for_or_none(
    client: FlaskClient, world: AppContext
) -> None:
    pool_id = make_pool(client)
    plant_server(world, f"srv_0{UNKNOWN[1:]}", pool_id=pool_id)
    plant_server(world, f"srv_1{UNKNOWN[1:]}", pool_id=pool_id)
    order = {"poolId": pool_id, "image": IMAGE}
    assert code(client.post(f"{SERVERS}/provision", json={**order, "count": 3})) == (
        409,
        "POOL_CAPACITY_EXCEEDED",
    )
    taken = client.post(f"{SERVERS}/provision", json={**order, "count": 2})
    results = taken.get_json()["data"]["results"]
    assert (taken.status_code, len({one["workflowId"] for one in results})) == (202, 2)


def test_a_lock_shows_who_holds_it_and_can_be_taken_away(client: FlaskClient, world: AppContext) -> None:
    plant_server(world, SERVER)
    run_id = client.post(f"{SERVERS}/{SERVER}/actions", json={"action": "inspect"}).get_json()["meta"][
        "workflowId"
    ]
    resource = f"server/{SERVER}"
    held = client.get(f"/v1/locks?resource={resource}").get_json()["data"]
    assert [(one["runId"], one["fence"]) for one in held] == [(run_id, 1)]
    assert client.delete(f"/v1/locks/{resource}", json={}).status_code == 400
    assert client.delete(f"/v1/locks/{resource}", json={"reason": "rebuilt by hand"}).status_code == 204
    assert client.get("/v1/locks").get_json()["data"] == []
    assert code(client.delete(f"/v1/locks/{resource}", json={"reason": "again"})) == (404, "NOT_FOUND")
    last = client.get(f"/v1/workflows/runs/{run_id}/events").get_json()["data"][-1]
    assert (last["type"], last["actor"], last["payload"]["reason"]) == (
        "lock.released",
        "usr_local",
        "rebuilt by hand",
    )


def test_a_lock_of_a_malformed_resource_is_400(client: FlaskClient) -> None:
    assert client.delete("/v1/locks/nonsense", json={"reason": "x"}).status_code == 400
    assert client.get("/v1/locks?resource=nonsense").status_code == 400


def test_an_unknown_hook_is_404_whatever_its_form(client: FlaskClient) -> None:
    for token in ("x" * 43, "short", issue_hook_token()[0]):
        assert code(client.post(f"/v1/hooks/{token}", json={})) == (404, "NOT_FOUND")


def test_a_hook_takes_64_kib_and_no_more(client: FlaskClient, world: AppContext) -> None:
    token, hashed = issue_hook_token()
    plant_run(world, "run_1", status="waiting", event_seq=0)
    plant_waiting_step(world, hashed)
    answer = client.post(f"/v1/hooks/{token}", json={"log": "y" * 65_536})
    assert code(answer) == (413, "PAYLOAD_TOO_LARGE")
    assert answer.get_json()["error"]["details"]["limit"] == 65_536


def test_a_hook_is_called_once_and_its_exact_repeat_is_answered_alike(
    client: FlaskClient, guarded: FlaskClient, world: AppContext
) -> None:
    token, hashed = issue_hook_token()
    plant_run(world, "run_1", status="waiting", event_seq=0)
    plant_waiting_step(world, hashed)
    first = guarded.post(f"/v1/hooks/{token}", json={"status": "installed"})
    again = guarded.post(f"/v1/hooks/{token}", json={"status": "installed"})
    other = guarded.post(f"/v1/hooks/{token}", json={"status": "else"})
    assert (first.status_code, first.get_json()["data"]["runId"]) == (202, "run_1")
    assert (again.status_code, again.get_json()["data"]) == (202, first.get_json()["data"])
    assert code(other) == (410, "GONE")


@pytest.mark.parametrize("payload", ['"installed"', '["installed"]', "null", "7"])
def test_a_step_takes_objects_alone_whichever_address_its_hook_is_called_at(
    guarded: FlaskClient, world: AppContext, payload: str
) -> None:
    token, hashed = issue_hook_token()
    plant_run(world, "run_1", status="waiting", event_seq=0)
    plant_waiting_step(world, hashed)
    called = {"data": payload, "content_type": "application/json"}
    wrong = guarded.post(f"/api/workflows/hooks/{token}", **called)
    right = guarded.post(f"/v1/hooks/{token}", json={"status": "installed"})
    assert (wrong.status_code, wrong.get_json()["error"]["code"]) == (400, "VALIDATION_ERROR")
    assert right.status_code == 202


def plant_waiting_step(world: AppContext, token_hash: str) -> None:
    """A step that waits for its hook."""
    tenant = {"tenant_id": world.db.tenant, "run_id": "run_1"}
    step = {"phase": "forward", "key": "install", "ordinal": 1, "name": "server.install", "kind": "operation"}
    more = {"queue": "bmc", "status": "waiting", "timeout_ms": 60_000, "branch": "", "attempt": 1}
    hook = {"id": f"hook_{UNKNOWN}", "token_hash": token_hash, "step": "install", "status": "open"}
    world.db.write(lambda tx: tx.execute(insert(tables.step), {**tenant, **step, **more}))
    world.db.write(lambda tx: tx.execute(insert(tables.hook), {**tenant, **hook, "created_at": T0}))


def test_a_certificate_is_shown_and_replaced(client: FlaskClient) -> None:
    given = {**REGISTRATION, "protocol": "redfish"}
    path = f"{SERVERS}/{client.post(SERVERS, json=given).get_json()['data']['id']}"
    assert client.put(f"{path}/certificate", json={"fingerprint": "9F" * 32}).status_code == 204
    assert client.get(path).get_json()["data"]["certificate"] == "9f" * 32
    assert client.put(f"{path}/certificate", json={"fingerprint": None}).status_code == 204
    assert client.get(path).get_json()["data"]["certificate"] is None


@pytest.mark.parametrize("body", [{}, {"fingerprint": "9f"}, {"fingerprint": "9f:" * 32}, {"fingerprint": 7}])
def test_what_is_no_fingerprint_is_400(client: FlaskClient, body: dict[str, Any]) -> None:
    given = {**REGISTRATION, "protocol": "redfish"}
    path = f"{SERVERS}/{client.post(SERVERS, json=given).get_json()['data']['id']}"
    answer = client.put(f"{path}/certificate", json=body)
    assert (code(answer), fields(answer)) == ((400, "VALIDATION_ERROR"), {"fingerprint"})


def test_a_controller_without_certificates_has_none_to_trust(client: FlaskClient) -> None:
    path = f"{SERVERS}/{client.post(SERVERS, json=REGISTRATION).get_json()['data']['id']}"
    answer = client.put(f"{path}/certificate", json={"fingerprint": None})
    assert code(answer) == (400, "VALIDATION_ERROR")
