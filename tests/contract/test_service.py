"""The service as a whole: search, what it is, what is wrong with it (contracts/runs.rst)."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from app.services import search
from app.services.context import AppContext
from tests.contract.plant import UNKNOWN, bearer, plant_run, plant_server

SERVER = f"srv_{UNKNOWN}"


@pytest.fixture
def some(world: AppContext) -> AppContext:
    """A server with a name and a serial number, and runs."""
    plant_server(world, SERVER, display_name="rack-7-slot-12", serial="QTFCOU71")
    plant_run(world, "run_01kc9v5q8w3f7x2m4n6p8r0t1v", status="failed")
    return world


def hits(client: FlaskClient, text: str, headers: Any = None) -> list[tuple[str, str]]:
    """Kind and id of what was found."""
    answer = client.get("/v1/search", query_string={"q": text}, headers=headers)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return [(one["kind"], one["id"]) for one in answer.get_json()["data"]]


@pytest.mark.parametrize("text", ["rack-7", "RACK-7-SLOT", "QTFCOU71", "10.0.0.1", SERVER])
def test_a_server_is_found_by_what_people_call_it(some: AppContext, client: FlaskClient, text: str) -> None:
    assert ("server", SERVER) in hits(client, text)


@pytest.mark.parametrize("text", ["01kc9v5q8w", "p8r0t1v"])
def test_a_run_is_found_by_either_end_of_its_id(some: AppContext, client: FlaskClient, text: str) -> None:
    assert ("run", f"run_{UNKNOWN}") in hits(client, text)


def test_a_type_is_found_by_a_part_of_its_name(client: FlaskClient) -> None:
    assert hits(client, "provision") == [("type", "server.provision")]


def test_every_hit_leads_to_where_its_kind_is_read(client: FlaskClient) -> None:
    served = client.get("/openapi.json").get_json()["paths"]
    assert [
        path for path in search.PATHS.values() if not any(one.startswith(f"{path}/{{") for one in served)
    ] == []


def test_what_nobody_is_called_finds_nothing(some: AppContext, client: FlaskClient) -> None:
    assert hits(client, "%_%") == []


@pytest.mark.parametrize("query", ["", "q=", "q=a", "q=abc&limit=0", "q=abc&kind=run"])
def test_a_wrong_search_is_refused(client: FlaskClient, query: str) -> None:
    assert client.get(f"/v1/search?{query}").status_code == 400


def test_servers_are_found_by_those_who_may_read_them(some: AppContext, guarded: FlaskClient) -> None:
    few, more = bearer(some, "a", "runs:read"), bearer(some, "b", "runs:read", "servers:read")
    assert hits(guarded, "rack-7", few) == []
    assert hits(guarded, "rack-7", more) == [("server", SERVER)]
    assert guarded.get("/v1/search?q=rack", headers=bearer(some, "c", "webhooks")).status_code == 403


def test_it_says_what_it_is_and_its_settings_to_administrators(
    some: AppContext, guarded: FlaskClient
) -> None:
    def about(*scopes: str) -> Any:
        return guarded.get("/v1/about", headers=bearer(some, scopes[0][:4].strip(":"), *scopes)).get_json()

    reader, chief = about("runs:read")["data"], about("admin")["data"]
    assert reader["database"]["revision"] == reader["database"]["newest"]
    assert reader["settings"] is None
    assert {"variable": "WINDLASS_RETENTION_DAYS", "value": 90} in chief["settings"]


def test_it_says_what_does_not_hold_and_what_to_do(client: FlaskClient, world: AppContext) -> None:
    assert client.get("/v1/doctor").get_json()["data"] == {"ok": True, "findings": []}
    plant_run(world, "run_1", status="completed", completed_at=None)
    world.db.forget("doctor")
    found = client.get("/v1/doctor").get_json()["data"]
    assert not found["ok"]
    assert {one["run"] for one in found["findings"]} == {"run_1"}
    assert all(one["todo"] for one in found["findings"])
