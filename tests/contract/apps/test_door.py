"""The door itself: what is no route, no body and no trouble of the client's looks as its clients expect."""

import pytest

from tests.support.apps import Door

STRANGE = {
    "another name": {"host": "evil.example"},
    "another origin": {"origin": "http://evil.example"},
    "another port": {"origin": "http://127.0.0.1:1"},
    "another site": {"sec_fetch_site": "cross-site"},
    "a proxy": {"x_forwarded_for": "203.0.113.9"},
    "a relay": {"via": "1.1 somebody"},
    "a proxy in other words": {"x_real_ip": "203.0.113.9"},
}


def test_alive(apps_door: Door) -> None:
    reply = apps_door.send("GET", "/status")

    assert (reply.status, reply.json) == (200, {"status": "ok"})
    assert reply.headers["content-type"] == "application/json; charset=utf-8"


def test_an_unknown_route_is_named(apps_door: Door) -> None:
    reply = apps_door.get("/nothing?a=1")

    assert reply.status == 404
    assert reply.json == {
        "message": "Route GET:/api/v1/apps/default/nothing?a=1 not found",
        "error": "Not Found",
        "statusCode": 404,
    }


@pytest.mark.parametrize("path", ["/queue", "/runs/wrun_1/events"])
def test_a_body_that_is_encoded_is_refused_and_not_stored_as_it_stands(apps_door: Door, path: str) -> None:
    body = {"queueName": "q", "message": 1, "eventType": "run_created"}
    reply = apps_door.ask("POST", path, body, content_encoding="gzip")
    assert (reply.status, "Content-Encoding" in reply.json["message"]) == (415, True)


@pytest.mark.parametrize("headers", STRANGE.values(), ids=STRANGE.keys())
def test_without_tokens_only_this_machine_is_answered(apps_door: Door, headers: dict[str, str]) -> None:
    assert apps_door.get("/runs").status == 200
    assert apps_door.ask("GET", "/runs", **headers).status == 403
