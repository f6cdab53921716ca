"""/v1/views: filters under a name, for whoever saved them."""

from typing import Any

from flask.testing import FlaskClient

from app.services import keys, saved_views
from app.services.context import AppContext

PATH = "/v1/views"


def save(client: FlaskClient, name: str, query: str, **headers: str) -> Any:
    """Save one."""
    return client.post(PATH, json={"name": name, "query": query}, headers=headers)


def names(client: FlaskClient, **headers: str) -> list[tuple[str, str]]:
    """What whoever asks has saved."""
    return [(one["name"], one["query"]) for one in client.get(PATH, headers=headers).get_json()["data"]]


def test_a_view_is_kept_replaced_and_forgotten(client: FlaskClient) -> None:
    made = save(client, "failed", "status=failed")
    assert made.status_code == 201
    assert save(client, "failed", "status=failed&type=x").get_json()["data"]["id"] == made.json["data"]["id"]
    assert names(client) == [("failed", "status=failed&type=x")]

    path = f"{PATH}/{made.json['data']['id']}"
    assert [client.delete(path).status_code for _ in range(2)] == [204, 404]


def test_what_is_no_query_is_refused(client: FlaskClient) -> None:
    for name, query in (("", "a=1"), ("x" * 65, "a=1"), ("a", ""), ("a", "a=1\n"), ("a", "a" * 2_001)):
        assert save(client, name, query).status_code == 400
    assert names(client) == []


def test_nobody_sees_or_deletes_the_views_of_others(client: FlaskClient, world: AppContext) -> None:
    _, first, _ = keys.create(world, "one", ["runs:read"])
    _, second, _ = keys.create(world, "two", ["runs:read"])
    made = save(client, "mine", "a=1", Authorization=f"Bearer {first}")

    other = {"Authorization": f"Bearer {second}"}
    assert names(client, **other) == []
    assert client.delete(f"{PATH}/{made.json['data']['id']}", headers=other).status_code == 404


def test_there_are_so_many_views_at_most(client: FlaskClient, monkeypatch: Any) -> None:
    monkeypatch.setattr(saved_views, "MOST", 1)

    assert [save(client, name, "a=1").status_code for name in ("a", "b", "a")] == [201, 409, 201]
