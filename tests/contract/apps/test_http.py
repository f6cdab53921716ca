"""HTTP of the apps API: unknown routes, bodies and errors are answered as its clients expect."""

import re
from collections.abc import Iterator

import pytest

from tests.support.apps import AppsApi

STRANGE = {
    "another name": {"host": "evil.example"},
    "another origin": {"origin": "http://evil.example"},
    "another port": {"origin": "http://127.0.0.1:1"},
    "another site": {"sec_fetch_site": "cross-site"},
    "a proxy": {"x_forwarded_for": "203.0.113.9"},
    "a relay": {"via": "1.1 somebody"},
    "a proxy in other words": {"x_real_ip": "203.0.113.9"},
}


def test_alive(apps_api: AppsApi) -> None:
    reply = apps_api.send("GET", "/status")

    assert (reply.status, reply.json) == (200, {"status": "ok"})
    assert reply.headers["content-type"] == "application/json; charset=utf-8"


def test_an_unknown_route_is_named(apps_api: AppsApi) -> None:
    reply = apps_api.get("/nothing?a=1")

    assert reply.status == 404
    assert reply.json == {
        "message": "Route GET:/api/v1/apps/default/nothing?a=1 not found",
        "error": "Not Found",
        "statusCode": 404,
    }


@pytest.mark.parametrize("path", ["/queue", "/runs/wrun_1/events"])
def test_a_body_that_is_encoded_is_refused_and_not_stored_as_it_stands(apps_api: AppsApi, path: str) -> None:
    body = {"queueName": "q", "message": 1, "eventType": "run_created"}
    reply = apps_api.ask("POST", path, body, content_encoding="gzip")
    assert (reply.status, "Content-Encoding" in reply.json["message"]) == (415, True)


@pytest.mark.parametrize("headers", STRANGE.values(), ids=STRANGE.keys())
def test_without_tokens_only_this_machine_is_answered(apps_api: AppsApi, headers: dict[str, str]) -> None:
    assert apps_api.get("/runs").status == 200
    assert apps_api.ask("GET", "/runs", **headers).status == 403


def unstorable(api: AppsApi) -> Iterator[tuple[str, str]]:
    """Method and path of every route, with a name in it that no database can store."""
    for rule in api.flask.url_map.iter_rules():
        path = re.sub(r"<app:app_id>", api.app, rule.rule)
        path = re.sub(r"<(?:\w+:)?\w+>", "a%00b", path)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield method, path
    for path in ("dead-letters?queueName", "messages?runId", "hooks?runId", "runs?workflowName"):
        yield "GET", f"/api/v1/apps/{api.app}/{path}=a%00b"


def test_no_route_fails_for_a_name_that_cannot_be_stored(apps_api: AppsApi) -> None:
    body = {"namespace": "n", "serviceAccount": "a", "key": "\0", "data": "YQ=="}
    body |= {"applicationId": "default", "deploymentVersion": "\0", "status": "active"}

    found = {way: apps_api.send(*way, body).status for way in unstorable(apps_api)}

    assert {way: status for way, status in found.items() if status >= 500} == {}


@pytest.mark.parametrize("version", ["a\0b", "\ud800", "v" * 1001, 5])
def test_a_version_is_a_text_that_can_be_stored(apps_api: AppsApi, version: object) -> None:
    apps_api.get("/runs")
    note = {"applicationId": "default", "deploymentVersion": version, "status": "expired"}

    assert apps_api.send("POST", "/api/v1/versions/notify", note).status == 400
    assert apps_api.get("").json["versions"] == []
