"""Names, serial numbers and parts of ids stand wherever an id is asked for."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from app.services.context import AppContext
from tests.contract.plant import plant_run, plant_server

ONE, OTHER = "srv_01kc9v5q8w3f7x2m4n6p8r0t1v", "srv_01kc9v5q8w3f7x2m4n6p8r0t2w"
RUN = "run_01kc9v5q8w3f7x2m4n6p8r0t1v"


@pytest.fixture
def machines(world: AppContext) -> None:
    """Two servers whose names begin alike; the second is called as a third was that is gone."""
    plant_server(world, ONE, display_name="m1-a", serial="C0FFEE12")
    plant_server(world, OTHER, display_name="m1-b", serial="C0FFEE13")
    plant_server(world, "srv_01kc9v5q8w3f7x2m4n6p8r0t3x", display_name="m1-b", state="decommissioned")


@pytest.mark.usefixtures("machines")
@pytest.mark.parametrize("text", [ONE, "m1-a", "C0FFEE12", "8r0t1v", "01kc9v5q8w3f7x2m4n6p8r0t1"])
def test_a_server_is_found_by_what_it_is_called(client: FlaskClient, text: str) -> None:
    assert client.get(f"/v1/servers/{text}").get_json()["data"]["id"] == ONE


@pytest.mark.usefixtures("machines")
def test_a_name_that_only_a_retired_server_shares_is_unique(client: FlaskClient) -> None:
    assert client.get("/v1/servers/m1-b").get_json()["data"]["id"] == OTHER


@pytest.mark.usefixtures("machines")
@pytest.mark.parametrize("text", ["m1-a ", "M1-A", "%", "srv_", "t1v", "m1-", "nobody"])
def test_what_nobody_is_called_is_404(client: FlaskClient, text: str) -> None:
    answer = client.get("/v1/servers/" + text.replace("%", "%25"))
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (404, "NOT_FOUND")


def test_what_two_are_called_is_409_with_both(client: FlaskClient, world: AppContext) -> None:
    for server_id in (ONE, OTHER):
        plant_server(world, server_id, display_name="twin")
    answer = client.get("/v1/servers/twin")
    assert answer.status_code == 409
    assert answer.get_json()["error"]["details"]["candidates"] == [f"{ONE} (twin)", f"{OTHER} (twin)"]


@pytest.mark.usefixtures("machines")
def test_a_run_is_started_on_a_server_by_name(client: FlaskClient) -> None:
    order = {"type": "server.inspect", "resourceId": "m1-a"}
    run = client.post("/v1/workflows/runs", json=order).get_json()["data"]
    assert run["resourceId"] == ONE
    listed = client.get("/v1/workflows/runs?resourceId=m1-a").get_json()["data"]
    assert [(each["id"], each["resourceName"]) for each in listed] == [(run["id"], "m1-a")]


@pytest.mark.usefixtures("machines")
def test_a_lock_is_found_by_the_name_of_its_server(client: FlaskClient) -> None:
    client.post("/v1/servers/m1-a/actions", json={"action": "inspect"})
    locks: list[dict[str, Any]] = client.get("/v1/locks?resource=server/m1-a").get_json()["data"]
    assert [lock["resource"] for lock in locks] == [f"server/{ONE}"]


def test_pools_and_schedules_have_names_too(client: FlaskClient, world: AppContext) -> None:
    pool = client.post("/v1/pools", json={"name": "gpu"}).get_json()["data"]
    plant_server(world, ONE, pool_id=pool["id"])
    schedule = {"name": "nightly", "type": "server.inspect", "resourceId": ONE, "cron": "30 2 * * *"}
    made = client.post("/v1/schedules", json=schedule).get_json()["data"]

    assert client.get("/v1/pools/gpu").get_json()["data"]["id"] == pool["id"]
    assert client.get("/v1/schedules/nightly").get_json()["data"]["id"] == made["id"]
    assert [row["id"] for row in client.get("/v1/servers?poolId=gpu").get_json()["data"]] == [ONE]


def test_a_run_has_the_name_of_its_resource(client: FlaskClient, world: AppContext) -> None:
    plant_server(world, ONE, display_name="m1-a")
    plant_run(world, RUN, resource_type="server", resource_id=ONE)
    assert client.get(f"/v1/workflows/runs/{RUN}").get_json()["data"]["resourceName"] == "m1-a"
