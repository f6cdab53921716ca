"""The header Idempotency-Key on any POST (contracts/runs.rst#idempotency)."""

from collections.abc import Mapping
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app.domain.errors import Unavailable
from app.record import tables
from app.services import idempotency
from app.services.context import AppContext
from tests.contract.plant import REGISTRATION, UNKNOWN, ids, plant_server

KEY = {"Idempotency-Key": "k-1"}
DAY_MS = 24 * 3_600_000


def register(client: FlaskClient, headers: Mapping[str, str] = KEY, **changes: Any) -> Any:
    """Register the same machine."""
    return client.post("/v1/servers", json={**REGISTRATION, **changes}, headers=dict(headers))


def age(world: AppContext, ms: int, **changes: Any) -> None:
    """Let the noted requests be older."""
    noted = tables.api_request
    world.db.write(lambda tx: tx.execute(update(noted).values(at=noted.c.at - ms, **changes)))


def runs(world: AppContext) -> int:
    """How many runs there are."""
    return len(world.db.read(lambda tx: tx.rows(select(tables.run.c.id))))


def test_the_same_key_with_the_same_body_gives_the_stored_answer(
    client: FlaskClient, world: AppContext
) -> None:
    first, second = register(client), register(client)
    assert (second.status_code, second.get_json()) == (202, first.get_json())
    assert second.headers["Idempotency-Replayed"] == "true"
    assert second.headers["Location"] == first.headers["Location"]
    assert "Idempotency-Replayed" not in first.headers
    assert runs(world) == 1


def test_a_quoted_key_is_the_same_key(client: FlaskClient) -> None:
    register(client)
    assert register(client, {"Idempotency-Key": '"k-1"'}).headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize("changes", [{"displayName": "other"}, {"bmcAddress": "127.0.0.1:9402"}])
def test_another_body_is_409(client: FlaskClient, world: AppContext, changes: dict[str, str]) -> None:
    register(client)
    answer = register(client, KEY, **changes)
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (409, "CONFLICT")
    assert runs(world) == 1


def test_a_request_in_flight_is_409(client: FlaskClient, world: AppContext) -> None:
    register(client)
    age(world, 0, status=None)
    assert register(client).get_json()["error"]["details"]["reason"] == "in_flight"


def test_when_the_process_died_the_next_one_finds_the_run_it_had_started(
    client: FlaskClient, world: AppContext
) -> None:
    path = f"/v1/servers/{plant_server(world, f'srv_{UNKNOWN}')}/actions"
    first = client.post(path, json={"action": "inspect"}, headers=KEY)
    age(world, 120_000, status=None, headers={"openedAt": opened_at(world)})
    second = client.post(path, json={"action": "inspect"}, headers=KEY)
    assert second.get_json()["meta"]["workflowId"] == first.get_json()["meta"]["workflowId"]
    assert runs(world) == 1


def test_what_ended_with_503_may_be_done_and_is_found_by_the_next_one(
    client: FlaskClient, world: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/v1/servers/{plant_server(world, f'srv_{UNKNOWN}')}/actions"
    write = world.db.write

    def unheard(work: Any, **how: Any) -> Any:
        done = write(work, **how)
        if runs(world) == 1:  # The commit of the run itself.
            monkeypatch.undo()
            raise Unavailable("The database does not answer")
        return done

    monkeypatch.setattr(world.db, "write", unheard)
    first = client.post(path, json={"action": "inspect"}, headers=KEY)
    second = client.post(path, json={"action": "inspect"}, headers=KEY)
    assert (first.status_code, second.status_code, runs(world)) == (503, 202, 1)


def opened_at(world: AppContext) -> int:
    """When the noted request came, as its note says."""
    at: int = world.db.read(lambda tx: tx.value(select(tables.api_request.c.at)))
    return at


def test_after_a_day_the_key_is_free_again(client: FlaskClient, world: AppContext) -> None:
    register(client)
    age(world, DAY_MS + 1_000)
    answer = register(client, bmcAddress="127.0.0.1:9402")
    assert (answer.status_code, runs(world)) == (202, 2)


def test_a_refusal_is_not_kept_since_it_changed_nothing(client: FlaskClient) -> None:
    assert register(client, {}).status_code == 202
    assert register(client).status_code == 409
    assert register(client, bmcAddress="127.0.0.1:9402").status_code == 202


def test_another_key_of_the_same_client_is_another_request(client: FlaskClient) -> None:
    register(client)
    answer = register(client, {"Idempotency-Key": "k-2"}, bmcAddress="127.0.0.1:9402")
    assert (answer.status_code, "Idempotency-Replayed" in answer.headers) == (202, False)


def test_a_plan_is_never_stored(client: FlaskClient, world: AppContext) -> None:
    client.post("/v1/servers?dryRun=true", json=REGISTRATION, headers=KEY)
    assert world.db.read(lambda tx: tx.rows(select(tables.api_request))) == []
    assert ids(client.get("/v1/servers")) == []


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "ä"])
def test_a_key_that_is_none_is_400(client: FlaskClient, key: str) -> None:
    assert register(client, {"Idempotency-Key": key}).status_code == 400


def test_no_credential_is_kept_with_the_answer(client: FlaskClient, world: AppContext) -> None:
    register(client)
    rows = world.db.read(lambda tx: tx.rows(select(tables.api_request)))
    assert "canary-Xq7" not in str(rows)


def test_an_answer_goes_out_although_it_cannot_be_kept(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise Unavailable

    monkeypatch.setattr(idempotency, "settle", away)
    assert register(client).status_code == 202


def test_the_body_idempotency_key_finds_the_same_run_for_good(client: FlaskClient, world: AppContext) -> None:
    server_id = register(client, {}).get_json()["data"]["id"]
    order = {"type": "server.inspect", "resourceId": server_id, "idempotencyKey": "mine"}
    query = "/v1/workflows/runs?onConflict=queue"
    first, second = client.post(query, json=order), client.post(query, json=order)
    assert first.get_json()["data"]["id"] == second.get_json()["data"]["id"]


POOL_ORDER = {"image": {"url": "https://images.example/debian.qcow2"}, "idempotencyKey": "rack-7"}


def order_of_pool(client: FlaskClient, world: AppContext, machines: int) -> dict[str, Any]:
    """An order for one machine of a pool that has so many."""
    pool_id = client.post("/v1/pools", json={"name": "gpu"}).get_json()["data"]["id"]
    for place in range(machines):
        plant_server(world, f"srv_{place}{UNKNOWN[1:]}", pool_id=pool_id)
    return {**POOL_ORDER, "poolId": pool_id}


def taken(client: FlaskClient, order: dict[str, Any]) -> list[tuple[str, str]]:
    """The machines that the order has, and their runs."""
    answer = client.post("/v1/servers/provision", json=order)
    assert answer.status_code == 202, answer.get_json()
    return [(one["server"]["id"], one["workflowId"]) for one in answer.get_json()["data"]["results"]]


@pytest.mark.parametrize("machines", [1, 2])
def test_an_order_from_a_pool_that_is_sent_again_has_the_machines_of_the_first(
    client: FlaskClient, world: AppContext, machines: int
) -> None:
    order = order_of_pool(client, world, machines)
    first = taken(client, order)
    assert taken(client, order) == first
    assert runs(world) == 1


def test_one_that_is_sent_again_after_its_run_was_cancelled_takes_no_machine(
    client: FlaskClient, world: AppContext
) -> None:
    order = order_of_pool(client, world, 1)
    ((_, run_id),) = first = taken(client, order)
    client.post(f"/v1/workflows/runs/{run_id}/cancel", json={})
    assert taken(client, order) == first
    pool = client.get(f"/v1/pools/{order['poolId']}").get_json()["data"]
    assert pool["capacity"] == {"total": 1, "free": 1}
