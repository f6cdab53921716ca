"""What strangers send costs little, says what is wrong, and is never a 500."""

import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.api.http import bodies, openapi
from app.api.http.rate import Buckets
from app.domain.errors import MOST_FIELDS
from tests.contract.plant import REGISTRATION, plant_run

RUNS = "/v1/workflows/runs"
HOOKS = (f"/v1/hooks/{'x' * 43}", f"/api/workflows/hooks/{'x' * 43}")


def test_a_large_body_with_a_repeated_member_is_read_in_one_pass() -> None:
    seen = 0

    class Name(str):
        """A name that counts how often it is compared."""

        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            nonlocal seen
            seen += 1
            return super().__eq__(other)

        __hash__ = str.__hash__

    names = [Name(f"name{number}") for number in range(2_000)]
    with pytest.raises(Exception, match="more than once"):
        bodies._members([*((name, 0) for name in names), (Name("name1999"), 0)])
    assert seen < 100


def test_a_refusal_names_the_first_of_many_fields(client: FlaskClient) -> None:
    answer = client.post(RUNS, json={"type": "server.inspect", **{f"no{n}": 0 for n in range(5_000)}})
    details = answer.get_json()["error"]["details"]
    assert answer.status_code == 400
    assert (len(details["fields"]), details["omitted"] > 4_000) == (MOST_FIELDS, True)
    assert len(answer.data) < 10_000


@pytest.mark.parametrize("value", [[["\0"]], {"a": [[{"b": ["\ud800"]}]]}, {"\0": 1}, [[{"\udfff": 1}]]])
def test_what_no_database_stores_is_refused_however_deep_it_stands(client: FlaskClient, value: Any) -> None:
    answer = client.post("/v1/workflows/runs", json={"type": "server.inspect", "input": {"a": value}})
    assert answer.status_code == 400
    assert "not text" in answer.get_json()["error"]["message"]


@pytest.mark.parametrize(
    "path",
    [
        *(f"{RUNS}?type=a%00b", f"{RUNS}?resourceId=%00", "/v1/servers?q=%00", "/v1/servers?health=%00"),
        *("/v1/schedules?type=%00", f"{RUNS}?%00=1", f"{RUNS}/run%00", "/v1/workflows/types/a%00"),
        *("/v1/locks?resource=%00", "/api/workflows/runs?workflowName=%00", "/v1/pools?name=%00"),
    ],
)
def test_what_no_database_stores_is_refused_in_paths_and_queries(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code in (400, 404)


@pytest.mark.parametrize("tag", ['""', '"", ""', 'W/""', '"x", ""', ","])
def test_an_empty_tag_is_no_500(client: FlaskClient, tag: str) -> None:
    server = client.post("/v1/servers", json=REGISTRATION).get_json()["data"]["id"]
    run_id = plant_run(client.application.extensions["windlass"](), "run_1", status="waiting")
    for path, method in ((f"/v1/servers/{server}", "PATCH"), (f"{RUNS}/{run_id}/cancel", "POST")):
        answer = client.open(path, method=method, json={}, headers={"If-Match": tag})
        assert answer.status_code < 500, answer.get_json()


@pytest.mark.parametrize("path", HOOKS)
def test_the_token_of_a_hook_is_looked_up_before_its_body_is_read(client: FlaskClient, path: str) -> None:
    assert client.post(path, data="{", content_type="application/json").status_code == 404


@pytest.mark.parametrize("path", HOOKS)
def test_a_peer_that_calls_hooks_too_often_waits(app: Flask, client: FlaskClient, path: str) -> None:
    app.extensions["windlass.hook_rate"] = Buckets(2)
    first, _, third = (client.post(path, data=json.dumps({})) for _ in range(3))
    assert (first.status_code, third.status_code) == (404, 429)
    assert (first.headers["RateLimit-Limit"], first.headers["RateLimit-Remaining"]) == ("2", "1")
    assert int(third.headers["Retry-After"]) > 0
    assert third.headers["RateLimit-Remaining"] == "0"


@pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/docs/problems"])
def test_what_anybody_may_read_is_made_once(
    client: FlaskClient, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = client.get(path)
    for name in ("document", "codes"):
        monkeypatch.setattr(openapi, name, lambda *_: pytest.fail("it is made again"))
    again = client.get(path)
    assert (first.status_code, again.status_code, again.data) == (200, 200, first.data)
