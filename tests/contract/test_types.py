"""The catalogue of types (contracts/runs.rst#catalogue)."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.api.v1 import examples
from app.services.context import AppContext
from chains import catalogue
from tests.contract.plant import UNKNOWN, bearer, plant_server

PATH = "/v1/workflows/types"
SEEDED = {
    *(f"server.{verb}" for verb in ("register", "inspect", "provision", "lifecycle", "decommission")),
    *(f"cluster.{verb}" for verb in ("create", "scale", "upgrade", "delete")),
    *(f"vm.{verb}" for verb in ("create", "power", "delete")),
    *("sync.server-state", "sync.cluster-state"),
}


def test_the_catalogue_has_the_fourteen_types_of_the_seed(client: FlaskClient) -> None:
    assert len(SEEDED) == 14
    assert {one["type"] for one in client.get(PATH).get_json()["data"]} >= SEEDED


def test_a_type_says_what_it_expects_and_what_it_does(client: FlaskClient) -> None:
    data = client.get(f"{PATH}/server.provision").get_json()["data"]
    schema = data["inputSchema"]
    assert schema["required"] == ["image"]
    assert schema["properties"]["image"]["properties"]["url"]["format"] == "uri"
    assert [data["onFailure"], data["holdMs"], data["expectedDurationMs"]] == ["hold", 900_000, 1_500_000]
    assert data["steps"][0]["name"] == "validate"


def members(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every member of a schema, however deep, by its dotted name."""
    for name, said in (schema.get("properties") or {}).items():
        yield f"{path}{name}", said
        yield from members(said, f"{path}{name}.")
        yield from members(said.get("items") or {}, f"{path}{name}.")


def test_every_member_of_every_input_is_explained_for_forms(client: FlaskClient) -> None:
    told = [
        (f"{kind['type']}.{name}", said)
        for kind in client.get(PATH).get_json()["data"]
        if kind["type"] in SEEDED
        for name, said in members(kind["inputSchema"])
    ]
    assert [name for name, said in told if not (said.get("title") and said.get("description"))] == []
    plain = [(name, said) for name, said in told if said["type"] in ("string", "integer")]
    asked = [(name, said) for name, said in plain if "enum" not in said and "x-resource" not in said]
    assert [name for name, said in asked if not said.get("examples") and not said.get("format")] == []
    assert not any(r"\Z" in said.get("pattern", "") for _, said in told)


def test_what_names_a_resource_says_of_which_kind(client: FlaskClient) -> None:
    schema = client.get(f"{PATH}/server.register").get_json()["data"]["inputSchema"]
    assert schema["properties"]["poolId"]["x-resource"] == "pool"
    assert schema["properties"]["bmcCredential"]["properties"]["password"]["writeOnly"] is True


MACHINE = {
    "protocol": "ipmi",
    "bmcAddress": "127.0.0.1:9401",
    "bmcCredential": {"username": "operator", "password": "canary-Xq7"},
    "displayName": "m1",
}


def test_a_machine_is_registered_by_its_type_as_by_its_own_door(
    client: FlaskClient, world: AppContext
) -> None:
    started = client.post("/v1/workflows/runs", json={"type": "server.register", "input": MACHINE})
    run = started.get_json()["data"]
    server = client.get(f"/v1/servers/{run['resourceId']}").get_json()["data"]
    assert (started.status_code, run["type"]) == (202, "server.register")
    assert (server["displayName"], server["state"]) == ("m1", "registering")
    assert "canary" not in started.get_data(as_text=True)


def test_its_plan_stores_nothing(client: FlaskClient) -> None:
    body = {"type": "server.register", "input": MACHINE}
    plan = client.post("/v1/workflows/runs?dryRun=true", json=body)
    assert (plan.status_code, plan.get_json()["data"]["type"]) == (200, "server.register")
    assert client.get("/v1/servers").get_json()["data"] == []


@pytest.mark.parametrize(
    ("kind", "given", "field"),
    [
        ("server.register", {}, "input.bmcAddress"),
        ("server.register", {**MACHINE, "bmcAddress": ""}, "input.bmcAddress"),
        ("server.register", {**MACHINE, "colour": "red"}, "input.colour"),
        ("server.register", {**MACHINE, "onFailure": "hold"}, "input.onFailure"),
        ("cluster.create", {"template": "t", "credential": "c"}, "input.config"),
        ("vm.create", {"name": "web-1"}, "input.memoryMb"),
    ],
)
def test_a_wrong_input_names_its_field_and_makes_nothing(
    client: FlaskClient, kind: str, given: dict[str, Any], field: str
) -> None:
    refused = client.post("/v1/workflows/runs", json={"type": kind, "input": given})
    assert refused.status_code == 400
    assert field in refused.get_json()["error"]["details"]["fields"]
    assert client.get("/v1/servers").get_json()["data"] == []


def test_a_key_that_may_only_start_runs_registers_no_machine(guarded: FlaskClient, world: AppContext) -> None:
    body = {"type": "server.register", "input": MACHINE}
    refused = guarded.post("/v1/workflows/runs", json=body, headers=bearer(world, "w", "runs:write"))
    assert refused.status_code == 403


def test_an_unknown_type_is_404(client: FlaskClient) -> None:
    assert client.get(f"{PATH}/no.such").status_code == 404
    assert client.post(f"{PATH}/no.such/actions", json={"action": "pause"}).status_code == 404


def test_a_paused_type_takes_no_runs_until_it_is_resumed(client: FlaskClient, world: AppContext) -> None:
    order = {"type": "server.inspect", "resourceId": plant_server(world, f"srv_{UNKNOWN}")}
    body = {"action": "pause", "reason": "broken firmware"}
    paused = client.post(f"{PATH}/server.inspect/actions", json=body).get_json()["data"]
    refused = client.post("/v1/workflows/runs", json=order)
    client.post(f"{PATH}/server.inspect/actions", json={"action": "resume"})
    assert (paused["paused"], paused["reason"]) == (True, "broken firmware")
    assert refused.status_code == 409
    assert client.post("/v1/workflows/runs", json=order).status_code == 202


def test_the_examples_of_a_run_name_steps_of_its_type() -> None:
    kind = catalogue.types()[examples.RUN["type"]]
    steps = [row.key for row in kind.plan(kind.example or {}).rows()]
    plan: dict[str, Any] = examples.RETRY_PLAN
    named = [step["name"] for step in (*examples.RUN["steps"], *examples.STEPS)]
    assert {*named, str(examples.LOCK["step"]), *plan["kept"], *plan["runsAgain"]} <= set(steps)
