"""The catalogue of types (contracts/runs.rst#catalogue)."""

from typing import Any

from flask.testing import FlaskClient

from app.api.v1 import examples
from app.services.context import AppContext
from chains import catalogue
from tests.contract.plant import UNKNOWN, plant_server

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
    assert schema["properties"]["image"]["properties"]["url"]["format"] == "url"
    assert [data["onFailure"], data["holdMs"], data["expectedDurationMs"]] == ["hold", 900_000, 1_500_000]
    assert data["steps"][0]["name"] == "validate"


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
