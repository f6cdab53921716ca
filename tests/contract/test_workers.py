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
    assert found["bmc"] == {"queue": "bmc", "length": None, "workers": 1, "processes": 2}
    assert found["default"] == {"queue": "default", "length": None, "workers": 0, "processes": 0}


@pytest.mark.parametrize("path", ["/v1/workers", "/v1/queues"])
def test_a_parameter_that_there_is_not_is_refused(client: FlaskClient, path: str) -> None:
    assert client.get(f"{path}?kind=worker").status_code == 400
