"""GET /v1/workers and /v1/queues: who works, and what waits for them."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from app.config import release
from app.services import workers
from app.services.context import AppContext


def data(answer: Any) -> Any:
    """What an answer holds."""
    assert answer.status_code == 200, answer.json
    return answer.json["data"]


def test_a_pool_is_shown_with_its_queues_and_its_release(client: FlaskClient, world: AppContext) -> None:
    workers.beat(world.db, "default@here", ["default", "wf.mine"], 8)

    (one,) = data(client.get("/v1/workers"))

    assert (one["name"], one["kind"], one["queues"]) == ("default@here", "worker", ["default", "wf.mine"])
    assert (one["processes"], one["release"]) == (8, release())
    assert one["silentMs"] >= 0 and one["startedAt"] <= one["lastSeenAt"]


def test_nobody_is_shown_where_nobody_works(client: FlaskClient) -> None:
    assert data(client.get("/v1/workers")) == []


def test_a_queue_tells_who_serves_it_and_not_how_long_it_is_while_redis_is_away(
    client: FlaskClient, world: AppContext
) -> None:
    workers.beat(world.db, "bmc@here", ["bmc"], 2)

    found = {one["queue"]: one for one in data(client.get("/v1/queues"))}

    assert sorted(found) == ["app", "bmc", "cloud", "default", "kube", "webhook"]
    idle = {"length": None, "expected": False}
    assert found["bmc"] == {"queue": "bmc", "workers": 1, "processes": 2, **idle}
    assert found["default"] == {"queue": "default", "workers": 0, "processes": 0, **idle}


@pytest.mark.parametrize("path", ["/v1/workers", "/v1/queues"])
def test_a_parameter_that_there_is_not_is_refused(client: FlaskClient, path: str) -> None:
    assert client.get(f"{path}?kind=worker").status_code == 400


def drain(client: FlaskClient, name: str, verb: str = "drain") -> Any:
    """Ask for it."""
    return client.post(f"/v1/workers/{name}/{verb}", json={"reason": "new memory"})


def test_a_drained_pool_serves_nothing_until_it_is_resumed(client: FlaskClient, world: AppContext) -> None:
    assert workers.beat(world.db, "bmc@here", ["bmc"], 2) is False

    assert data(drain(client, "bmc@here")) == {"name": "bmc@here", "drained": True}
    assert data(drain(client, "bmc@here"))["drained"] is True

    assert workers.beat(world.db, "bmc@here", ["bmc"], 2) is True
    (shown,) = data(client.get("/v1/workers"))
    assert (shown["drained"], shown["drainedBy"], shown["canDrain"]) == (True, "usr_local", True)
    assert {one["queue"]: one["workers"] for one in data(client.get("/v1/queues"))}["bmc"] == 0
    assert "bmc" in world.db.read(lambda tx: workers.unserved(tx, ["bmc"]))
    assert data(drain(client, "bmc@here", "resume"))["drained"] is False
    assert workers.beat(world.db, "bmc@here", ["bmc"], 2) is False
    entries = data(client.get("/v1/audit?resourceType=worker"))
    assert [(one["action"], one["reason"]) for one in entries] == [
        ("worker.resume", "new memory"),
        ("worker.drain", "new memory"),
    ]


@pytest.mark.parametrize("path", ["rack/7@here", "rack%2F7@here", "drain/drain@here"])
def test_a_pool_whose_name_has_a_slash_is_drained(client: FlaskClient, world: AppContext, path: str) -> None:
    name = path.replace("%2F", "/")
    workers.beat(world.db, name, ["bmc"], 2)

    assert data(drain(client, path)) == {"name": name, "drained": True}
    assert data(drain(client, path, "resume")) == {"name": name, "drained": False}


def test_only_a_pool_that_works_and_can_be_drained_is(client: FlaskClient, world: AppContext) -> None:
    workers.beat(world.db, "app@here", ["app"], 4, drains=False)

    assert drain(client, "app@here").status_code == 409
    assert drain(client, "nobody").status_code == 404
    assert drain(client, "nobody", "resume").status_code == 404
