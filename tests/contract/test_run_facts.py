"""What answers say around a run: what it does, who is in its way, how long it takes, what is allowed."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from app.engine.transitions.step_rows import step_row
from app.record import tables
from app.record.runs import runs
from app.services.context import AppContext
from chains import catalogue
from tests.contract.plant import T0, UNKNOWN, plant_run, plant_server

PATH = "/v1/workflows/runs"
SERVER = f"srv_{UNKNOWN}"
LIFECYCLE = {"type": "server.lifecycle", "resourceId": SERVER}


@pytest.fixture
def server(world: AppContext) -> str:
    """A server that is free and has a name."""
    return plant_server(world, SERVER, display_name="m3")


def plant_steps(world: AppContext, run_id: str, at: str = "boot-from", **changes: Any) -> None:
    """The steps of a provisioning; ``changes`` are those of one step."""
    rows = [step_row(run_id, row) for row in catalogue.types()["server.provision"].plan({}).rows()]
    for row in rows:  # Of all the same columns, or only those of the first one would be stored.
        own = {name: row.get(name) for name in changes}
        row.update(changes if row["key"] == at else own)  # type: ignore[typeddict-item]
    world.db.write(lambda tx: runs.insert_steps(tx, rows))


def detail(client: FlaskClient, run_id: str) -> Any:
    """A run."""
    return client.get(f"{PATH}/{run_id}").get_json()["data"]


@pytest.mark.parametrize(
    ("given", "title"),
    [
        ({"action": "powerOff"}, "power off"),
        ({"action": "reboot"}, "reboot"),
        ({"action": "reboot", "mode": "hard"}, "hard reset"),
        ({"action": "maintenance", "enabled": False}, "maintenance off"),
    ],
)
def test_a_run_says_what_it_does_in_lists_as_by_itself(
    client: FlaskClient, world: AppContext, given: dict[str, Any], title: str
) -> None:
    plant_run(world, "run_1", type="server.lifecycle", input=given)
    (listed,) = client.get(PATH).get_json()["data"]
    assert (listed["title"], detail(client, "run_1")["title"]) == (title, title)


def test_who_waits_for_a_lock_is_told_who_holds_it_and_where(client: FlaskClient, server: str) -> None:
    order = {**LIFECYCLE, "input": {"action": "powerOff"}}
    holder = client.post(PATH, json=order).get_json()["data"]["id"]
    waits = client.post(f"{PATH}?onConflict=queue", json=order).get_json()["data"]["id"]
    for shown in (detail(client, waits), client.get(PATH).get_json()["data"][0]):
        waiting = shown["waitingOn"]
        assert waiting["heldBy"]["runId"] == holder
        assert waiting["text"] == f"Waits for m3, which run {holder} (server.lifecycle) holds."


def test_a_holder_at_a_step_names_it(client: FlaskClient, world: AppContext, server: str) -> None:
    order = {"type": "server.provision", "resourceId": SERVER, "input": {"image": {"url": "http://a/b"}}}
    holder = client.post(PATH, json=order).get_json()["data"]["id"]
    client.post(f"{PATH}?onConflict=queue", json={**LIFECYCLE, "input": {"action": "powerOff"}})
    busy = {"status": "running", "first_started_at": T0}
    at = (tables.step.c.run_id == holder, tables.step.c.key == "validate")
    world.db.write(lambda tx: tx.execute(update(tables.step).where(*at).values(**busy)))
    (waiting, _) = client.get(PATH).get_json()["data"]
    assert "(server.provision, at validate) holds" in waiting["waitingOn"]["text"]


def test_lists_say_how_far_a_run_is_and_which_attempt_it_makes(
    client: FlaskClient, world: AppContext
) -> None:
    plant_run(world, "run_1", type="server.provision")
    plant_steps(world, "run_1", "install", status="retry_wait", tries=2, first_started_at=T0, started_at=T0)
    (listed,) = client.get(PATH).get_json()["data"]
    shown = detail(client, "run_1")
    limit = catalogue.step_named("server.install").retry.limit
    assert (listed["attempt"], listed["attempts"]) == (2, limit)
    assert 0 < listed["progress"] == shown["progress"] < 100
    assert listed["usualMs"] == 60_000


def test_a_step_says_under_which_terms_it_is_done(client: FlaskClient, world: AppContext) -> None:
    plant_run(world, "run_1", type="server.provision")
    plant_steps(world, "run_1", status="running", holder="worker-1/7/x", deadline_at=T0)
    (step,) = [one for one in detail(client, "run_1")["steps"] if one["name"] == "boot-from"]
    declared = catalogue.step_named("server.boot_from")
    assert step["timeoutMs"] == declared.spec.timeout_ms
    assert step["retry"] == declared.retry.shown()
    assert (step["undo"], step["atMostOnce"]) == (declared.spec.undoable, False)
    assert (step["holder"], step["deadlineAt"]) == ("worker-1/7", "2026-01-13T12:00:00.000Z")
    assert step["given"] == {"device": "network"}


def test_a_step_says_how_long_it_took_lately(client: FlaskClient, world: AppContext) -> None:
    for n in range(10):
        ended: dict[str, Any] = {"status": "completed", "completed_at": T0 + 99}
        plant_run(world, f"run_{n}", type="server.provision", **ended)
        took: dict[str, Any] = {
            "first_started_at": T0,
            "completed_at": T0 + 100 * (n + 1),
            "status": "completed",
        }
        plant_steps(world, f"run_{n}", **took)
    plant_run(world, "run_x", type="server.provision")
    plant_steps(world, "run_x")
    (step,) = [one for one in detail(client, "run_x")["steps"] if one["name"] == "boot-from"]
    assert (step["usualMs"], step["p90Ms"]) == (500, 900)


@pytest.mark.parametrize(
    ("status", "action", "why"),
    [
        ("running", "retry", "Only a failed, cancelled or held run"),
        ("completed", "cancel", "It has ended"),
        ("compensating", "cancel", "It is being undone already"),
        ("compensating", "retry", "can be retried when that has ended"),
        ("running", "resume", "can be resumed; it is running"),
    ],
)
def test_an_action_that_is_refused_says_why(
    client: FlaskClient, world: AppContext, status: str, action: str, why: str
) -> None:
    plant_run(world, "run_1", status=status, completed_at=T0 if status == "completed" else None)
    shown = detail(client, "run_1")
    assert action not in shown["allowedActions"]
    assert why in shown["refusedActions"][action]
    assert not set(shown["allowedActions"]) & set(shown["refusedActions"])


def test_a_run_that_is_retried_already_says_by_which_run(client: FlaskClient, world: AppContext) -> None:
    plant_run(world, "run_1", status="failed", completed_at=T0)
    assert "retry" in detail(client, "run_1")["allowedActions"]
    plant_run(world, "run_2", retry_of="run_1")
    assert detail(client, "run_1")["refusedActions"]["retry"] == "Run run_2 retries it already."
