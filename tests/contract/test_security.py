"""Keys, scopes, hosts and origins: who is answered at all (contracts/runs.rst#keys-and-actors)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.api.http.family import PUBLIC
from app.api.http.keys import check, refuse_unsafe
from app.auth.keys import SCOPES
from app.config import SettingsError
from app.services import keys
from app.services.context import AppContext
from tests.contract.conftest import serving
from tests.contract.plant import UNKNOWN, bearer, plant_run

RUNS = "/v1/workflows/runs"
OPEN = {
    ("GET", "/"),
    ("GET", "/docs"),
    ("GET", "/docs/problems"),
    ("GET", "/docs/operations/<operation>"),
    ("GET", "/docs/shapes"),
    ("GET", "/docs/style.css"),
    ("GET", "/docs/viewer.js"),
    ("GET", "/openapi.json"),
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("GET", "/startupz"),
    ("GET", "/status"),
    ("GET", "/ready"),
    ("POST", "/v1/hooks/<token>"),
    ("POST", "/api/workflows/hooks/<token>"),
}
NO_TOKENS = (
    "Bearer",
    "Bearer nonsense",
    "Basic dXNlcjpwYXNz",
    f"Bearer wlk_aaaaaaaa_{'x' * 43}",
    "Bearer " + "x" * 999,
)
VALUES = {
    "run_id": "run_1",
    "batch_id": "batch-1",
    "operation_id": "web",
    "account_id": f"acc_{UNKNOWN}",
    "server_id": f"srv_{UNKNOWN}",
    "pool_id": f"pool_{UNKNOWN}",
    "cluster_id": f"cls_{UNKNOWN}",
    "vm_id": f"vm_{UNKNOWN}",
    "management_id": f"mgt_{UNKNOWN}",
    "webhook_id": f"whk_{UNKNOWN}",
    "delivery_id": f"dlv_{UNKNOWN}",
    "schedule_id": f"sch_{UNKNOWN}",
    "key_id": f"key_{UNKNOWN}",
    "session_id": f"ses_{UNKNOWN}",
    "view_id": f"viw_{UNKNOWN}",
    "name": "default@host-1",
    "operation": "getRun",
    "type_name": "server.inspect",
    "resource": f"server/srv_{UNKNOWN}",
    "token": "x" * 43,
}


def operations(app: Flask) -> Iterator[tuple[str, str, str, str]]:
    """Every operation: method, rule, a path of it, its scope; pages are judged in tests/console."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("console."):
            continue
        adapter = app.url_map.bind("localhost")
        path = adapter.build(rule.endpoint, {name: VALUES[name] for name in rule.arguments})
        view: Any = app.view_functions[rule.endpoint]
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield method, rule.rule, path, view.scope


def test_only_a_short_list_of_operations_needs_no_key(app: Flask) -> None:
    assert {(method, rule) for method, rule, _, scope in operations(app) if scope == PUBLIC} == OPEN


def test_every_other_operation_refuses_whoever_has_no_key(app: Flask, guarded: FlaskClient) -> None:
    for method, rule, path, scope in operations(app):
        if scope != PUBLIC:
            answer = guarded.open(path, method=method, json={})
            assert answer.status_code == 401, (method, rule)
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_every_operation_refuses_a_key_without_its_scope(
    app: Flask, guarded: FlaskClient, world: AppContext
) -> None:
    headers = {scope: bearer(world, scope.replace(":", "-"), scope) for scope in SCOPES}
    for method, rule, path, scope in operations(app):
        for other in SCOPES:
            if scope not in (PUBLIC, other) and other != "admin":
                answer = guarded.open(path, method=method, json={}, headers=headers[other])
                assert answer.status_code == 403, (method, rule, other)


def test_the_scope_opens_the_operation(guarded: FlaskClient, world: AppContext) -> None:
    assert guarded.get(RUNS, headers=bearer(world, "reader", "runs:read")).status_code == 200
    assert guarded.get(RUNS, headers=bearer(world, "boss", "admin")).status_code == 200


def test_an_operation_without_a_scope_keeps_the_application_from_starting(app: Flask) -> None:
    app.view_functions["forgotten"] = lambda: ""
    with pytest.raises(SettingsError, match="forgotten"):
        check(app)


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer nonsense",
        "Basic dXNlcjpwYXNz",
        f"Bearer wlk_aaaaaaaa_{'x' * 43}",
        "Bearer " + "x" * 999,
    ],
)
def test_a_token_that_is_none_is_401_also_on_loopback(client: FlaskClient, header: str) -> None:
    assert client.get(RUNS, headers={"Authorization": header}).status_code == 401


def test_a_revoked_key_is_refused_at_once(guarded: FlaskClient, world: AppContext) -> None:
    header = bearer(world, "gone", "runs:read")
    assert guarded.get(RUNS, headers=header).status_code == 200
    keys.revoke(world, "gone")
    assert guarded.get(RUNS, headers=header).status_code == 401


def test_runs_are_triggered_by_the_name_of_the_key(guarded: FlaskClient, world: AppContext) -> None:
    plant_run(world, "run_1", status="waiting")
    header = bearer(world, "ci", "runs:write", "runs:read", "servers:write")
    guarded.post(f"{RUNS}/run_1/cancel", json={"reason": "x"}, headers=header)
    events = guarded.get(f"{RUNS}/run_1/events", headers=header).get_json()["data"]
    assert events[0]["actor"] == "usr_ci"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8080", "localhost:8080", "[::1]:8080"])
def test_without_a_key_this_machine_is_answered_under_its_own_names(client: FlaskClient, host: str) -> None:
    assert client.get(RUNS, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.168.0.7", "localhost.evil"])
def test_without_a_key_no_other_name_is_answered(client: FlaskClient, host: str) -> None:
    assert client.get(RUNS, headers={"Host": host}).status_code == 403


@pytest.mark.parametrize(
    "origin",
    [
        *("https://evil.example", "null", "http://localhost.evil"),
        *("http://localhost:3000", "https://localhost:8080", "http://127.0.0.1:8080", "http://localhost"),
    ],
)
def test_without_a_key_no_foreign_page_is_answered(client: FlaskClient, origin: str) -> None:
    headers = {"Host": "localhost:8080", "Origin": origin}
    assert client.post(RUNS, json={}, headers=headers).status_code == 403


def test_without_a_key_a_page_of_this_origin_is_answered(client: FlaskClient) -> None:
    headers = {"Host": "localhost:8080", "Origin": "http://localhost:8080", "Sec-Fetch-Site": "same-origin"}
    assert client.get(RUNS, headers=headers).status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site", "unheard-of"])
def test_without_a_key_no_page_of_another_site_is_answered(client: FlaskClient, site: str) -> None:
    assert client.get(RUNS, headers={"Sec-Fetch-Site": site}).status_code == 403
    assert client.post(f"{RUNS}/run_1/cancel", headers={"Sec-Fetch-Site": site}).status_code == 403


@pytest.mark.parametrize(
    "header",
    [
        *("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"),
        *("X-Real-IP", "True-Client-IP", "CF-Connecting-IP", "X-Envoy-External-Address"),
    ],
)
def test_without_a_key_nothing_is_answered_through_a_proxy(client: FlaskClient, header: str) -> None:
    assert client.get(RUNS, headers={header: "203.0.113.9"}).status_code == 401


@pytest.mark.parametrize(
    "changed",
    [{"keyless": False}, {"public_url": "https://windlass.example"}, {"host": "0.0.0.0"}],
    ids=["not asked for", "public url", "listens to the world"],
)
def test_a_key_is_needed_unless_keyless_was_asked_for(world: AppContext, changed: dict[str, Any]) -> None:
    other = replace(world, settings=replace(world.settings, **changed))
    answer = serving(other, "guarded").test_client().get(RUNS, headers={"Host": "localhost"})
    assert answer.status_code == 401
    assert "windlass key create" in answer.get_json()["error"]["message"]


def test_once_there_was_a_key_nobody_is_answered_without_one(client: FlaskClient, world: AppContext) -> None:
    header = bearer(world, "first", "admin")
    assert client.get(RUNS).status_code == 401
    assert client.get(RUNS, headers=header).status_code == 200
    keys.revoke(world, "first")
    assert client.get(RUNS).status_code == 401


def test_a_service_that_others_reach_refuses_to_start_without_a_key(world: AppContext) -> None:
    exposed = replace(world, settings=replace(world.settings, host="0.0.0.0"))
    with pytest.raises(SettingsError, match="windlass key create"):
        refuse_unsafe(exposed)


def test_a_server_process_that_stands_open_does_not_come_up(
    world: AppContext, monkeypatch: pytest.MonkeyPatch, sqlite_url: str
) -> None:
    monkeypatch.setenv("HOST", "0.0.0.0")
    monkeypatch.setenv("DATABASE_URL", sqlite_url)
    monkeypatch.setenv("WINDLASS_STATE_DIR", str(world.settings.state))
    with pytest.raises(SettingsError, match="without any API key"):
        create_app()
    keys.create(world, "first", ["admin"])
    assert create_app().test_client().get("/v1/workflows/runs").status_code == 401


def test_with_a_key_or_on_loopback_it_starts(world: AppContext) -> None:
    refuse_unsafe(world)
    keys.create(world, "first", ["admin"])
    refuse_unsafe(replace(world, settings=replace(world.settings, host="0.0.0.0")))
