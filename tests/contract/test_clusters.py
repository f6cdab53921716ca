"""Clusters (contracts/runs.rst#clusters)."""

from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from app import create_app
from app.domain.clusters import ALLOWED
from app.record.inventory import allocations
from app.services.context import AppContext
from tests.contract.managed import CLUSTER, MANAGEMENT, WANTED, plant_cluster, plant_management
from tests.contract.plant import UNKNOWN, ids, plant_server

PATH = "/v1/clusters"
ONE = f"{PATH}/{CLUSTER}"
IMAGE = {"url": "http://images.lan/debian.qcow2"}


@pytest.fixture(autouse=True)
def management(world: AppContext) -> None:
    """There is one management cluster."""
    plant_management(world)


def code(answer: Any) -> tuple[int, str]:
    """Status and code of a refusal."""
    return answer.status_code, answer.get_json()["error"]["code"]


def pool_of(client: FlaskClient) -> str:
    """A pool."""
    return str(client.post("/v1/pools", json={"name": "rack"}).get_json()["data"]["id"])


def test_a_new_cluster_is_202_with_the_cluster_and_its_run(client: FlaskClient) -> None:
    answer = client.post(PATH, json={**WANTED, "name": "prod-1", "tags": ["team-a"]})
    body = answer.get_json()
    assert (answer.status_code, body["data"]["state"], body["data"]["name"]) == (202, "creating", "prod-1")
    assert answer.headers["Location"] == f"/v1/workflows/runs/{body['meta']['workflowId']}"
    assert (body["data"]["runId"], body["data"]["managementId"]) == (body["meta"]["workflowId"], MANAGEMENT)
    run = client.get(answer.headers["Location"]).get_json()["data"]
    assert (run["type"], run["resourceType"], run["onFailure"]) == ("cluster.create", "cluster", "hold")


def test_a_cluster_without_a_name_gets_one_from_its_id(client: FlaskClient) -> None:
    made = client.post(PATH, json=WANTED).get_json()["data"]
    assert made["name"] == made["id"].replace("_", "-")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"config": {}}, "config"),
        ({"config": None}, "config"),
        ({"template": ""}, "template"),
        ({"name": "9lives"}, "name"),
        ({"name": "a" * 64}, "name"),
        ({"managementId": f"mgt_{UNKNOWN[::-1]}"}, "managementId"),
        ({"nodePools": [{"poolId": f"pool_{UNKNOWN}", "count": 0, "image": IMAGE}]}, "nodePools.0.count"),
        ({"nodePools": [{"poolId": f"pool_{UNKNOWN}", "count": 1, "image": IMAGE}]}, "nodePools"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_cluster_names_the_field_and_stores_nothing(
    client: FlaskClient, changes: dict[str, Any], field: str
) -> None:
    answer = client.post(PATH, json={**WANTED, **changes})
    assert answer.status_code == 400
    assert set(answer.get_json()["error"]["details"]["fields"]) == {field}
    assert ids(client.get(PATH)) == []


def test_more_servers_than_are_free_are_refused_at_once(client: FlaskClient, world: AppContext) -> None:
    pool = {"poolId": pool_of(client), "count": 2, "image": IMAGE}
    plant_server(world, f"srv_{UNKNOWN}", pool_id=pool["poolId"])
    wanted = {**WANTED, "template": "remote-cluster-1-0-15", "nodePools": [pool]}
    for dry_run in ("true", "false"):
        answer = client.post(f"{PATH}?dryRun={dry_run}", json=wanted)
        assert code(answer) == (409, "POOL_CAPACITY_EXCEEDED")
    assert answer.get_json()["error"]["details"]["free"] == 1
    assert ids(client.get(PATH)) == []
    plant_cluster(world, template=wanted["template"], node_pools=[pool])
    grown = client.post(f"{PATH}/{CLUSTER}/scale", json={"workers": 4})
    assert code(grown) == (409, "POOL_CAPACITY_EXCEEDED")


def test_servers_come_from_pools_that_are_there_each_once(client: FlaskClient, world: AppContext) -> None:
    remote = {**WANTED, "template": "remote-cluster-1-0-15"}
    nobody = [{"poolId": f"pool_{UNKNOWN}", "count": 1, "image": IMAGE}]
    answer = client.post(PATH, json={**remote, "nodePools": nobody})
    assert set(answer.get_json()["error"]["details"]["fields"]) == {"nodePools.0.poolId"}
    pool = {"poolId": pool_of(client), "count": 1, "image": {**IMAGE, "checksumType": "sha256"}}
    answer = client.post(PATH, json={**remote, "nodePools": [pool, pool]})
    assert set(answer.get_json()["error"]["details"]["fields"]) == {"nodePools.1.poolId"}
    plant_server(world, f"srv_{UNKNOWN}", pool_id=pool["poolId"])
    made = client.post(PATH, json={**remote, "nodePools": [pool]}).get_json()["data"]
    assert (made["nodePools"], made["servers"]) == ([pool], [])


def test_with_several_management_clusters_one_has_to_be_named(client: FlaskClient, world: AppContext) -> None:
    plant_management(world, f"mgt_{UNKNOWN[::-1]}")
    assert code(client.post(PATH, json=WANTED)) == (400, "VALIDATION_ERROR")
    assert client.post(PATH, json={**WANTED, "managementId": MANAGEMENT}).status_code == 202


def test_a_name_is_taken_once_in_each_management_cluster(client: FlaskClient, world: AppContext) -> None:
    other = plant_management(world, f"mgt_{UNKNOWN[::-1]}")
    places = (MANAGEMENT, MANAGEMENT, other)
    answers = [client.post(PATH, json={**WANTED, "name": "prod", "managementId": each}) for each in places]
    assert [answer.status_code for answer in answers] == [202, 409, 202]


def test_a_creation_sent_again_under_its_key_is_the_same_run(client: FlaskClient) -> None:
    ours = {**WANTED, "name": "prod", "idempotencyKey": "order-7"}
    first, again = (client.post(PATH, json=ours).get_json() for _ in range(2))
    assert (again["meta"]["workflowId"], again["data"]["id"]) == (
        first["meta"]["workflowId"],
        first["data"]["id"],
    )
    assert code(client.post(PATH, json={**ours, "name": "other"})) == (409, "CONFLICT")


def test_a_creation_can_be_previewed(client: FlaskClient) -> None:
    answer = client.post(f"{PATH}?dryRun=true", json=WANTED)
    plan = answer.get_json()["data"]
    assert (answer.status_code, plan["type"]) == (200, "cluster.create")
    assert [step["name"] for step in plan["steps"]][:3] == ["validate", "create-record", "allocate-resources"]
    assert plan["compensation"] == ["apply-deployment", "allocate-resources", "validate"]
    assert ids(client.get(PATH)) == []


def test_more_than_the_quota_is_403(world: AppContext) -> None:
    limited = create_app(replace(world, settings=replace(world.settings, quota_clusters=1))).test_client()
    limited.environ_base["HTTP_HOST"] = "localhost"
    assert limited.post(PATH, json=WANTED).status_code == 202
    answer = limited.post(PATH, json=WANTED)
    assert code(answer) == (403, "QUOTA_EXCEEDED")
    assert answer.get_json()["error"]["details"] == {"limit": 1, "used": 1}


@pytest.mark.parametrize("state", sorted(ALLOWED))
def test_the_state_says_which_actions_are_allowed_and_is_believed(
    client: FlaskClient, world: AppContext, state: str
) -> None:
    plant_cluster(world, state=state)
    allowed = client.get(ONE).get_json()["data"]["allowedActions"]
    answer = client.post(f"{ONE}/scale", json={"workers": 3})
    assert answer.status_code == (202 if "scale" in allowed else 409)


@pytest.mark.parametrize(
    ("path", "body", "state"),
    [
        ("scale", {"workers": 3, "controlPlanes": 3}, "scaling"),
        ("upgrade", {"template": "aws-standalone-cp-1-0-17"}, "upgrading"),
        ("upgrade", {"kubernetesVersion": "1.33"}, "upgrading"),
    ],
)
def test_an_action_shows_the_state_that_it_leads_through(
    client: FlaskClient, world: AppContext, path: str, body: dict[str, Any], state: str
) -> None:
    plant_cluster(world)
    answer = client.post(f"{ONE}/{path}", json=body)
    assert (answer.status_code, answer.get_json()["data"]["state"]) == (202, state)
    run = client.get(answer.headers["Location"]).get_json()["data"]
    assert (run["type"], run["input"]) == (f"cluster.{path}", {**body, "clusterId": CLUSTER})


@pytest.mark.parametrize(
    ("changes", "path", "body", "expected"),
    [
        ({}, "scale", {}, (400, "VALIDATION_ERROR")),
        ({}, "scale", {"workers": -1}, (400, "VALIDATION_ERROR")),
        ({"template": "adopted-cluster-1"}, "scale", {"workers": 3}, (409, "INVALID_STATE_TRANSITION")),
        ({"template": "aws-eks-1"}, "scale", {"controlPlanes": 3}, (409, "INVALID_STATE_TRANSITION")),
        ({"template": "aws-hosted-cp-1"}, "scale", {"workers": 0}, (409, "INVALID_STATE_TRANSITION")),
        ({}, "upgrade", {}, (400, "VALIDATION_ERROR")),
        ({}, "upgrade", {"template": "aws-standalone-cp-9"}, (409, "INVALID_STATE_TRANSITION")),
        ({"uid": None, "state": "error"}, "scale", {"workers": 3}, (409, "INVALID_STATE_TRANSITION")),
    ],
)
def test_what_cannot_be_done_is_said_at_once(
    client: FlaskClient,
    world: AppContext,
    changes: dict[str, Any],
    path: str,
    body: dict[str, Any],
    expected: tuple[int, str],
) -> None:
    plant_cluster(world, **changes)
    assert code(client.post(f"{ONE}/{path}", json=body)) == expected


def test_a_second_run_on_a_cluster_names_the_first_or_waits(client: FlaskClient, world: AppContext) -> None:
    plant_cluster(world)
    first = client.post(f"{ONE}/scale", json={"workers": 3}).get_json()["meta"]["workflowId"]
    refused = client.delete(ONE)
    assert code(refused) == (409, "CONFLICT")
    assert refused.get_json()["error"]["details"]["holder"]["runId"] == first
    assert client.delete(f"{ONE}?onConflict=queue").status_code == 202


def test_a_cluster_is_deleted_by_a_run(client: FlaskClient, world: AppContext) -> None:
    plant_cluster(world)
    answer = client.delete(f"{ONE}?cleanupOnDeletion=true")
    assert (answer.status_code, answer.get_json()["data"]["state"]) == (202, "deleting")
    run = client.get(answer.headers["Location"]).get_json()["data"]
    assert run["input"]["cleanupOnDeletion"] is True


def test_an_action_can_be_previewed(client: FlaskClient, world: AppContext) -> None:
    plant_cluster(world)
    plan = client.delete(f"{ONE}?dryRun=true").get_json()["data"]
    assert (plan["type"], plan["locks"]) == ("cluster.delete", [f"cluster/{CLUSTER}"])
    assert client.get(ONE).get_json()["data"]["state"] == "ready"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["prod", "dev"]),
        ("state=error", ["dev"]),
        ("state=deleted", ["old"]),
        ("template=aws-eks-1", ["prod"]),
        ("tag=team-a", ["prod"]),
        ("q=DE", ["dev"]),
        (f"managementId=mgt_{UNKNOWN[::-1]}", []),
        ("name=prod", ["prod"]),
    ],
)
def test_lists_are_narrowed(client: FlaskClient, world: AppContext, query: str, found: list[str]) -> None:
    plant_cluster(world, f"cls_{UNKNOWN[:-1]}9", name="prod", tags=["team-a"], template="aws-eks-1")
    plant_cluster(world, f"cls_{UNKNOWN[:-1]}8", name="dev", state="error")
    plant_cluster(world, f"cls_{UNKNOWN[:-1]}7", name="old", state="deleted")
    assert [row["name"] for row in client.get(f"{PATH}?{query}").get_json()["data"]] == found


def test_what_was_seen_has_an_age(client: FlaskClient, world: AppContext) -> None:
    plant_cluster(world)
    shown = client.get(ONE).get_json()["data"]
    assert shown["status"] == {"phase": "ready", "ready": True, "conditions": []}
    assert shown["observedAt"] == "2026-01-13T12:00:00.000Z" and shown["observedAgeMs"] >= 0


def test_an_unknown_one_is_404(client: FlaskClient) -> None:
    assert client.get(ONE).status_code == 404
    assert client.delete(ONE).status_code == 404
    assert client.get(f"{PATH}/cls_x").status_code == 404


def test_a_creation_is_repeated_by_type_only_for_a_cluster_that_failed(
    client: FlaskClient, world: AppContext
) -> None:
    order = {"type": "cluster.create", "resourceId": CLUSTER}
    assert client.post("/v1/workflows/runs", json=order).status_code == 404
    plant_cluster(world, state="error", uid=None)
    assert client.post("/v1/workflows/runs", json=order).status_code == 202


def test_a_server_that_a_cluster_is_built_on_is_not_given_away(
    client: FlaskClient, world: AppContext
) -> None:
    server_id = plant_server(world, f"srv_{UNKNOWN}", state="provisioned")
    server = {"id": server_id, "pool_id": "pool_x"}
    world.db.write(lambda tx: allocations.allocate(tx, CLUSTER, "run_x", server, IMAGE, "a"))
    answer = client.post(f"/v1/servers/{server_id}/actions", json={"action": "deprovision"})
    assert code(answer) == (409, "CONFLICT")
    assert answer.get_json()["error"]["details"]["cluster"] == CLUSTER
