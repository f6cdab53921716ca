"""The door itself: what is no route, no body and no trouble of the client's looks as its clients expect."""

from tests.support.apps import Door


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
