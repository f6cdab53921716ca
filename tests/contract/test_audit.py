"""The audit log: one entry for each change, whichever door it came through (contracts/runs.rst#audit)."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from app.auth.keys import LOCAL
from app.record.paging import Window
from app.record.service.audit_log import AuditFilters
from app.services import audit, keys, pools
from app.services.context import AppContext
from tests.contract.plant import UNKNOWN, bearer, plant_run, plant_server

PATH = "/v1/audit"
SERVER = f"srv_{UNKNOWN}"
SCHEDULE = {"name": "nightly", "type": "sync.server-state", "cron": "@daily", "input": {}}


def entries(world: AppContext, **filters: Any) -> list[dict[str, Any]]:
    """The log as answers show it."""
    found = audit.entries(world, AuditFilters(**filters), Window())
    return [audit.entry_object(row) for row in found.rows]


def actions(world: AppContext) -> list[str]:
    """The actions of the log, the oldest first."""
    return [entry["action"] for entry in entries(world)][::-1]


def test_a_change_says_who_what_and_what_it_was(guarded: FlaskClient, world: AppContext) -> None:
    header = bearer(world, "ann", "admin")
    pool = guarded.post("/v1/pools", json={"name": "gpu"}, headers=header).get_json()["data"]
    changed = guarded.patch(f"/v1/pools/{pool['id']}", json={"name": "cpu"}, headers=header)
    (entry,) = entries(world, action="pool.change")
    assert (entry["actor"], entry["door"], entry["resourceId"]) == ("usr_ann", "api", pool["id"])
    assert (entry["before"], entry["after"]) == ({"name": "gpu"}, {"name": "cpu"})
    assert entry["keyId"] == keys.list_(world)[0]["id"]
    assert entry["requestId"] == changed.get_json()["meta"]["requestId"]


# What changes something, and the action that stands in the log.
DOORS: dict[str, tuple[str, str, Any]] = {
    "pool.create": ("POST", "/v1/pools", {"name": "gpu"}),
    "server.change": ("PATCH", f"/v1/servers/{SERVER}", {"displayName": "m1"}),
    "server.credential": (
        "PUT",
        f"/v1/servers/{SERVER}/credential",
        {"username": "u", "password": "canary-Xq7"},
    ),
    "type.pause": ("POST", "/v1/workflows/types/server.inspect/actions", {"action": "pause", "reason": "r"}),
    "schedule.create": ("POST", "/v1/schedules", SCHEDULE),
    "run.cancel": ("POST", "/v1/workflows/runs/run_1/cancel", {"reason": "r"}),
    "run.pause": ("POST", "/v1/workflows/runs/run_1/actions", {"action": "pause", "reason": "r"}),
    "key.create": ("POST", "/v1/keys", {"name": "ci", "scopes": ["runs:read"]}),
}


@pytest.mark.parametrize("action", DOORS)
def test_every_door_leaves_an_entry_without_secrets(
    client: FlaskClient, world: AppContext, action: str
) -> None:
    plant_server(world, SERVER)
    plant_run(world, "run_1", status="waiting")
    method, path, body = DOORS[action]
    answer = client.open(path, method=method, json=body)
    assert answer.status_code < 300, answer.get_data(as_text=True)
    (entry,) = entries(world)
    assert (entry["action"], entry["actor"]) == (action, "usr_local")
    assert "canary" not in str(entry)
    assert "sealed" not in str(entry)


def test_the_life_of_a_pool_is_told_whole(world: AppContext) -> None:
    made = pools.create(world, LOCAL, {"name": "gpu"})
    pools.change(world, LOCAL, made["id"], {"labels": {"site": "fra"}})
    pools.delete(world, LOCAL, made["id"])
    assert actions(world) == ["pool.create", "pool.change", "pool.delete"]
    assert {entry["door"] for entry in entries(world)} == {"cli"}


def test_a_refused_change_leaves_no_entry(client: FlaskClient, world: AppContext) -> None:
    client.post("/v1/pools", json={"name": "gpu"})
    assert client.post("/v1/pools", json={"name": "gpu"}).status_code == 409
    assert actions(world) == ["pool.create"]


def test_filters_leave_the_entries_that_match(client: FlaskClient, world: AppContext) -> None:
    for name in ("a", "b"):
        client.post("/v1/pools", json={"name": name})
    client.post("/v1/keys", json={"name": "ci", "scopes": ["runs:read"]})
    header = bearer(world, "ann", "admin")

    def asked(query: str) -> list[str]:
        data = client.get(f"{PATH}?{query}", headers=header).get_json()["data"]
        return [entry["action"] for entry in data]

    assert asked("resourceType=pool") == ["pool.create", "pool.create"]
    assert asked("action=key.create&actor=usr_local&limit=1") == ["key.create"]
    assert asked("actor=usr_nobody") == []
    assert asked("until=2001-01-01") == []


@pytest.mark.parametrize("query", ["action=", "since=then", "since=2026-02-01&until=2026-01-01", "who=me"])
def test_a_wrong_filter_is_refused(client: FlaskClient, query: str) -> None:
    assert client.get(f"{PATH}?{query}").status_code == 400


def test_the_export_is_a_table_without_formulas(client: FlaskClient) -> None:
    body = {"action": "pause", "reason": "=HYPERLINK(1)"}
    assert client.post("/v1/workflows/types/server.inspect/actions", json=body).status_code == 200
    answer = client.get(f"{PATH}/export?action=type.pause")
    header, line = answer.get_data(as_text=True).splitlines()
    assert header.startswith("id,at,actor,")
    assert "'=HYPERLINK(1)" in line
    assert answer.mimetype == "text/csv"


def test_the_log_is_for_administrators(guarded: FlaskClient, world: AppContext) -> None:
    header = bearer(world, "most", "runs:read", "runs:write", "servers:write", "webhooks")
    assert guarded.get(PATH, headers=header).status_code == 403
    assert guarded.get(f"{PATH}/export", headers=header).status_code == 403
