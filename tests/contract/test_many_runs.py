"""The same thing done to many runs, previews of a cancel, remarks (contracts/runs.rst#operators)."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from app.engine.transitions.step_rows import step_row
from app.record.runs import event_log, hooks, runs, signals
from app.record.session import Tx
from app.services import run_pages
from app.services.context import AppContext
from chains import catalogue
from tests.contract.plant import T0, bearer, plant_run

PATH = "/v1/workflows/runs"


@pytest.fixture
def some(world: AppContext) -> AppContext:
    """Runs that can be cancelled, and one that has failed."""
    plant_run(world, "run_1", status="waiting", type="sync.server-state")
    plant_run(world, "run_2", status="queued", type="sync.server-state", created_at=T0 + 1)
    plant_run(world, "run_3", status="failed", completed_at=T0, error_code="TIMEOUT", created_at=T0 + 2)
    return world


def detail(client: FlaskClient, run_id: str) -> Any:
    """A run."""
    return client.get(f"{PATH}/{run_id}").get_json()["data"]


def test_a_dry_run_counts_and_says_why_others_are_refused(some: AppContext, client: FlaskClient) -> None:
    body = {"ids": ["run_1", "run_3", "run_9"]}
    counted = client.post(f"{PATH}:cancel?dryRun=true", json=body).get_json()["data"]
    assert (counted["matched"], counted["considered"], counted["possible"]) == (3, 3, 1)
    assert [one["id"] for one in counted["refused"]] == ["run_3", "run_9"]
    assert detail(client, "run_1")["detail"] == "waiting"


def test_each_run_has_a_result_and_a_refusal_stops_nothing(some: AppContext, client: FlaskClient) -> None:
    body = {"ids": ["run_3", "run_2"], "reason": "wrong image"}
    done = client.post(f"{PATH}:cancel", json=body).get_json()["data"]
    assert [one["status"] for one in done["results"]] == [409, 202]
    assert done["results"][0]["error"]["code"] == "INVALID_STATE_TRANSITION"
    assert detail(client, "run_2")["detail"] == "cancelled"


def test_a_filter_means_what_the_list_shows(some: AppContext, client: FlaskClient) -> None:
    body = {"filter": {"type": ["sync.server-state"], "-detail": ["queued"]}}
    done = client.post(f"{PATH}:cancel", json=body).get_json()["data"]
    assert [one["id"] for one in done["results"]] == ["run_1"]
    assert detail(client, "run_2")["detail"] == "queued"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "ids"),
        ({"ids": ["run_1"], "filter": {"status": ["failed"]}}, "ids"),
        ({"ids": []}, "ids"),
        ({"ids": ["run_1"] * 201}, "ids"),
        ({"filter": {}}, "filter"),
        ({"filter": {"status": ["done"]}}, "filter.status.0"),
        ({"filter": {"colour": "red"}}, "filter.colour"),
        ({"ids": ["run_1"], "mode": "softly"}, "mode"),
    ],
)
def test_a_wrong_choice_is_refused_and_nothing_changes(
    some: AppContext, client: FlaskClient, body: Any, field: str
) -> None:
    refused = client.post(f"{PATH}:cancel", json=body)
    assert refused.status_code == 400
    assert field in refused.get_json()["error"]["details"]["fields"]
    assert detail(client, "run_1")["detail"] == "waiting"


@pytest.mark.parametrize("verb", ["retry", "cancel", "resume", "acknowledge"])
def test_many_runs_need_the_scopes_that_each_of_them_needs(
    some: AppContext, guarded: FlaskClient, verb: str
) -> None:
    plant_run(some, "run_4", status="failed_held", type="server.provision")
    reader, writer = bearer(some, "r", "runs:read"), bearer(some, "w", "runs:write")
    body = {"ids": ["run_4"]}
    assert guarded.post(f"{PATH}:{verb}", json=body, headers=reader).status_code == 403
    (result,) = guarded.post(f"{PATH}:{verb}", json=body, headers=writer).get_json()["data"]["results"]
    assert result["status"] == 403


def test_a_failed_run_is_acknowledged_once_with_a_reason(some: AppContext, client: FlaskClient) -> None:
    body = {"action": "acknowledge", "reason": "ticket 4711"}
    shown = client.post(f"{PATH}/run_3/actions", json=body).get_json()["data"]
    assert shown["acknowledgedBy"] == "usr_local"
    assert shown["acknowledgedAt"]
    assert "acknowledge" not in shown["allowedActions"]
    assert client.post(f"{PATH}/run_3/actions", json=body).status_code == 409
    assert client.get(f"{PATH}?status=failed&acknowledged=false").get_json()["data"] == []


def test_only_a_failed_run_is_acknowledged(some: AppContext, client: FlaskClient) -> None:
    refused = client.post(f"{PATH}/run_1/actions", json={"action": "acknowledge"})
    assert refused.status_code == 409


def test_remarks_are_kept_in_the_log_whatever_state_a_run_is_in(
    some: AppContext, client: FlaskClient
) -> None:
    client.post(f"{PATH}/run_3/notes", json={"text": "fan is loud"})
    client.post(f"{PATH}/run_3/actions", json={"action": "acknowledge", "reason": "fan replaced"})
    notes = client.get(f"{PATH}/run_3/notes").get_json()["data"]
    assert [(one["action"], one["text"]) for one in notes] == [
        ("acknowledge", "fan replaced"),
        ("note", "fan is loud"),
    ]
    assert client.post(f"{PATH}/run_3/notes", json={"text": ""}).status_code == 400


def test_an_export_has_the_run_and_its_log(some: AppContext, client: FlaskClient) -> None:
    client.post(f"{PATH}/run_3/notes", json={"text": "fan is loud"})
    document = client.get(f"{PATH}/run_3/export").get_json()["data"]
    assert (document["format"], document["truncated"]) == ("windlass.run/1", False)
    assert document["run"]["id"] == "run_3"
    assert [event["payload"]["reason"] for event in document["events"]] == ["fan is loud"]


def test_an_export_of_a_large_log_is_its_first_part(
    some: AppContext, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "PAGE_BYTES", 1_000)
    monkeypatch.setattr(run_pages, "MOST_PAGES", 2)
    for _ in range(6):
        client.post(f"{PATH}/run_3/notes", json={"text": "x" * 600})
    document = client.get(f"{PATH}/run_3/export").get_json()["data"]
    assert document["truncated"] and [event["seq"] for event in document["events"]] == [1, 2, 3, 4]


def test_large_signals_are_shown_by_pages_of_bytes(
    world: AppContext, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signals, "PAGE_BYTES", 100)
    plant_run(world, "run_1", type="book-room", kind="code", version="1")
    told = {"name": "go", "payload": "x" * 60, "sender": "usr_ann"}
    for seq in (1, 2, 3):
        world.db.write(
            lambda tx, seq=seq: signals.store(tx, "run_1", {"id": f"sig_{seq}", "seq": seq, **told})  # type: ignore[misc]
        )
    assert [one["seq"] for one in client.get(f"{PATH}/run_1/signals").get_json()["data"]] == [3, 2]


def plant_steps(world: AppContext, run_id: str, status: dict[str, str]) -> None:
    """The steps of a provisioning, some of them in a status."""
    rows = [step_row(run_id, row) for row in catalogue.types()["server.provision"].plan({}).rows()]
    for row in rows:
        row["status"] = status.get(row["key"], "pending")
        row["outcome"] = "done" if row["status"] == "completed" else "none"
    world.db.write(lambda tx: runs.insert_steps(tx, rows))


@pytest.mark.parametrize(
    ("mode", "finishes", "undone"),
    [("graceful", ["power"], True), ("kill", [], True), ("abandon", ["power"], False)],
)
def test_a_preview_of_a_cancel_says_what_is_undone_and_changes_nothing(
    world: AppContext, client: FlaskClient, mode: str, finishes: list[str], undone: bool
) -> None:
    plant_run(world, "run_1", type="server.provision")
    done = dict.fromkeys(("validate", "reserve", "prove-identity", "boot-from"), "completed")
    plant_steps(world, "run_1", {**done, "power": "running"})
    plan = client.post(f"{PATH}/run_1/cancel?dryRun=true", json={"mode": mode}).get_json()["data"]
    assert (plan["finishes"], plan["mode"]) == (finishes, mode)
    assert ("boot-from" in plan["undone"]) is undone
    assert ("boot-from" in plan["stays"]) is not undone
    assert plan["neverStarts"][-1] == "settle"
    assert detail(client, "run_1")["cancelRequestedAt"] is None


def test_a_preview_is_refused_where_the_cancel_would_be(some: AppContext, client: FlaskClient) -> None:
    assert client.post(f"{PATH}/run_3/cancel?dryRun=true").status_code == 409
    assert client.post(f"{PATH}/run_9/cancel?dryRun=true").status_code == 404


def test_a_run_shows_its_hooks_and_unread_signals_without_tokens(
    world: AppContext, client: FlaskClient
) -> None:
    plant_run(world, "run_1", type="book-room", kind="code", version="1")
    told = {"payload": {"approved": True}, "sender": "usr_ann"}

    def work(tx: Tx) -> None:
        hooks.create(tx, token_hash="canary-hash", run_id="run_1", step="approve", name="approval")
        signals.store(tx, "run_1", {"id": "sig_1", "seq": 1, "name": "approval", **told})
        signals.store(tx, "run_1", {"id": "sig_2", "seq": 2, "name": "x", "consumed_by": "w", **told})

    world.db.write(work)
    (hook,) = client.get(f"{PATH}/run_1/hooks").get_json()["data"]
    assert (hook["name"], hook["status"]) == ("approval", "open")
    assert "canary" not in str(hook)
    assert [one["id"] for one in client.get(f"{PATH}/run_1/signals").get_json()["data"]] == ["sig_2", "sig_1"]
    (unread,) = client.get(f"{PATH}/run_1/signals?unread=true").get_json()["data"]
    assert (unread["id"], unread["payload"]) == ("sig_1", {"approved": True})
    assert client.get(f"{PATH}/run_9/hooks").status_code == 404
