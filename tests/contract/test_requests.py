"""What holds for every request: envelope, errors, headers, negotiation (contracts/runs.rst#envelope)."""

import logging
import re
from io import BytesIO
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.api.http.bodies import MEBIBYTE
from app.record.session import Database
from app.services.context import AppContext
from tests.contract.plant import REGISTRATION, UNKNOWN, plant_run

RUNS = "/v1/workflows/runs"
REQUEST_ID = re.compile(r"req_local-\d{13}-[0-9a-f]{12}")


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    """The body of a refusal, after checking that both conventions hold."""
    body: dict[str, Any] = answer.get_json()
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert set(body) == {"type", "title", "status", "detail", "instance", "success", "error", "meta"}
    assert (body["status"], body["success"], body["error"]["code"]) == (status, False, code)
    assert body["meta"]["requestId"] == answer.headers["X-Request-Id"]
    return body


def test_a_success_is_success_data_and_meta(client: FlaskClient) -> None:
    answer = client.get(RUNS)
    body = answer.get_json()
    assert list(body) == ["success", "data", "meta"]
    assert body["success"] is True
    assert REQUEST_ID.fullmatch(body["meta"]["requestId"])
    assert body["meta"]["requestId"] == answer.headers["X-Request-Id"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", body["meta"]["timestamp"])


def test_an_unknown_path_is_a_problem(client: FlaskClient) -> None:
    assert problem(client.get("/v1/nothing"), 404, "NOT_FOUND")["instance"] == "/v1/nothing"


def test_an_unsupported_method_says_which_are_allowed(client: FlaskClient) -> None:
    answer = client.delete(RUNS)
    problem(answer, 405, "METHOD_NOT_ALLOWED")
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "POST"}


def test_a_malformed_id_is_400_and_an_unknown_one_404(client: FlaskClient) -> None:
    problem(client.get("/v1/webhooks/whk_1"), 400, "VALIDATION_ERROR")
    problem(client.get(f"/v1/webhooks/whk_{UNKNOWN}"), 404, "NOT_FOUND")


@pytest.mark.parametrize(("path", "prefix"), [("/v1/servers", "srv"), ("/v1/pools", "pool")])
def test_what_has_names_is_404_unless_a_name_could_be_so_long(
    client: FlaskClient, path: str, prefix: str
) -> None:
    problem(client.get(f"{path}/{prefix}_1"), 404, "NOT_FOUND")
    problem(client.get(f"{path}/{prefix}_{UNKNOWN}"), 404, "NOT_FOUND")
    problem(client.get(f"{path}/{'x' * 256}"), 400, "VALIDATION_ERROR")


def test_a_run_may_have_any_id_of_128_characters(client: FlaskClient) -> None:
    problem(client.get(f"{RUNS}/{'x' * 128}"), 404, "NOT_FOUND")
    problem(client.get(f"{RUNS}/{'x' * 129}"), 400, "VALIDATION_ERROR")
    problem(client.get(f"{RUNS}/a.b"), 400, "VALIDATION_ERROR")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_body_that_is_not_json_is_415(client: FlaskClient, kind: str) -> None:
    answer = client.post(RUNS, data=b'{"type":"server.inspect"}', content_type=kind)
    problem(answer, 415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("path", [RUNS, "/v1/workflows/batch/submit"])
def test_a_body_that_is_encoded_is_415_and_not_taken_for_plain(client: FlaskClient, path: str) -> None:
    answer = client.post(path, json={"type": "server.inspect"}, headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, "Content-Encoding" in answer.text) == (415, True)


def test_an_empty_form_is_415_too(client: FlaskClient, world: AppContext) -> None:
    run_id = plant_run(world, "run_1")
    answer = client.post(f"{RUNS}/{run_id}/cancel", content_type="application/x-www-form-urlencoded")
    problem(answer, 415, "UNSUPPORTED_MEDIA_TYPE")


def test_a_body_over_one_mebibyte_is_413(client: FlaskClient) -> None:
    answer = client.post(RUNS, data=b" " * (MEBIBYTE + 2), content_type="application/json")
    body = problem(answer, 413, "PAYLOAD_TOO_LARGE")
    assert body["error"]["details"]["limit"] == MEBIBYTE


def test_a_body_that_hides_its_length_is_413_too(client: FlaskClient) -> None:
    hidden = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    raw = BytesIO(b"{}" + b" " * MEBIBYTE)
    answer = client.post(RUNS, input_stream=raw, content_type="application/json", environ_overrides=hidden)
    assert problem(answer, 413, "PAYLOAD_TOO_LARGE")["error"]["details"]["limit"] == MEBIBYTE


def test_a_form_that_nobody_offers_is_406(client: FlaskClient) -> None:
    body = problem(client.get(RUNS, headers={"Accept": "text/csv"}), 406, "NOT_ACCEPTABLE")
    assert "application/json" in body["error"]["details"]["available"]


@pytest.mark.parametrize("accept", ["*/*", "application/*", "text/csv, */*;q=0.1", ""])
def test_whoever_takes_json_gets_it(client: FlaskClient, accept: str) -> None:
    assert client.get(RUNS, headers={"Accept": accept}).status_code == 200


def test_an_unknown_query_parameter_is_named_wherever_it_stands(client: FlaskClient) -> None:
    for path in ("/v1/workflows/types", "/livez", RUNS):
        answer = client.get(path, query_string={"colour": "red"})
        assert "colour" in problem(answer, 400, "VALIDATION_ERROR")["error"]["details"]["fields"]


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        ("tomorrow", "Not a date or time"),
        ("1969-12-31T23:59:59Z", "Not between 1970"),
        ("9999-12-31T23:59:59-14:00", "Not between 1970"),
    ],
)
def test_a_wrong_moment_is_400_and_says_which_are_allowed(
    client: FlaskClient, moment: str, said: str
) -> None:
    answer = client.get("/v1/workflows/runs", query_string={"since": moment})
    assert answer.status_code == 400
    assert answer.get_json()["error"]["details"]["fields"]["since"].startswith(said)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", "body"),
        (b"[]", "body"),
        (b'{"type": "x", "type": "y"}', "type"),
        (b'{"type": NaN}', "body"),
        (b'{"type": "server.inspect", "colour": 1}', "colour"),
        (b'{"type": 7}', "type"),
        (b"{}", "type"),
        (b'{"type": "server.inspect", "tags": [""]}', "tags.0"),
        (b'{"type": "server.inspect", "input": []}', "input"),
    ],
)
def test_a_wrong_body_is_400_and_names_the_field(client: FlaskClient, body: bytes, field: str) -> None:
    answer = client.post(RUNS, data=body, content_type="application/json")
    assert field in problem(answer, 400, "VALIDATION_ERROR")["error"]["details"]["fields"]


def test_answers_are_not_stored_framed_or_sniffed(client: FlaskClient) -> None:
    for answer in (client.get(RUNS), client.get("/v1/nothing"), client.get("/docs")):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


def test_a_crash_says_nothing_about_the_inside(
    client: FlaskClient, world: AppContext, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def crash(*_: Any, **__: Any) -> None:
        raise RuntimeError("canary-inside")

    monkeypatch.setattr(Database, "read", crash)
    with caplog.at_level(logging.CRITICAL):
        answer = client.get(RUNS)
    problem(answer, 500, "INTERNAL_ERROR")
    assert "canary" not in answer.get_data(as_text=True)


def test_a_database_that_is_away_is_503_and_when_to_come_again(
    client: FlaskClient, world: AppContext
) -> None:
    away = Database(f"sqlite:///{world.settings.state}/nowhere/none.db")
    object.__setattr__(world, "db", away)
    answer = client.post("/v1/servers", json=REGISTRATION)
    problem(answer, 503, "UNAVAILABLE")
    assert int(answer.headers["Retry-After"]) >= 1


@pytest.mark.parametrize(
    ("path", "name"),
    [(f"{RUNS}/a.b", "runId"), ("/api/workflows/runs/a.b", "runId"), ("/v1/webhooks/x", "webhookId")],
)
def test_a_refused_part_of_a_path_is_named_as_in_json(client: FlaskClient, path: str, name: str) -> None:
    assert list(client.get(path).get_json()["error"]["details"]["fields"]) == [name]


def test_where_batches_are_asked_for_it_is_named_as_they_name_it(client: FlaskClient) -> None:
    answer = client.get("/v1/workflows/batch/a%00b").get_json()
    assert list(answer["details"]["fields"]) == ["batch_id"]


def test_the_document_names_parts_of_paths_as_json_is_spelled(client: FlaskClient) -> None:
    paths = client.get("/openapi.json").get_json()["paths"]
    parts = {one["name"] for path, item in paths.items() for one in item.get("parameters", ())}
    snake = {name for name in parts if "_" in name}
    assert snake == {"batch_id", "operation_id"}
    assert all(f"{{{one['name']}}}" in path for path in paths for one in paths[path].get("parameters", ()))
