"""Probes, numbers, the OpenAPI document and the pages."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert

from app import create_app
from app.api.docs import remedies
from app.api.health import views
from app.api.http import openapi
from app.domain.errors import Rejected
from app.record import tables
from app.record.session import Database
from app.services.context import AppContext
from tests.contract.plant import plant_run

SNAPSHOT = Path(__file__).parents[2] / "docs" / "openapi.json"
METHODS = {"get", "post", "put", "patch", "delete"}


def beat(world: AppContext, silent_ms: int, **facts: Any) -> None:
    """A reconciler that was heard this long ago."""
    row = {"tenant_id": world.db.tenant, "kind": "reconciler", "instance": "host:1", "facts": facts}
    world.db.write(lambda tx: tx.execute(insert(tables.beat), {**row, "at": tx.now - silent_ms}))


@pytest.mark.parametrize("path", ["/livez", "/status"])
def test_the_process_is_alive_whatever_else_is_not(world: AppContext, path: str) -> None:
    away = replace(world, db=Database(f"sqlite:///{world.settings.state}/nowhere/none.db"))
    client = create_app(away).test_client()
    assert client.get(path).get_json()["data"]["status"] == "ok"


@pytest.mark.parametrize("path", ["/readyz", "/ready", "/startupz"])
def test_it_is_ready_without_redis_and_says_so(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    parts = answer.get_json()["data"]["parts"]
    assert (answer.status_code, parts["database"]["ok"], parts["redis"]["ok"]) == (200, True, False)
    assert parts["redis"]["reason"] == "cannot be reached"


def test_it_is_not_ready_without_its_database_and_names_it(world: AppContext) -> None:
    away = replace(world, db=Database(f"sqlite:///{world.settings.state}/nowhere/none.db"))
    answer = create_app(away).test_client().get("/readyz")
    data = answer.get_json()["data"]
    assert (answer.status_code, data["status"], data["parts"]["database"]["ok"]) == (503, "failing", False)
    assert answer.headers["Retry-After"]


@pytest.mark.parametrize(("silent_ms", "fresh"), [(1_000, True), (31_000, False)])
def test_a_silent_reconciler_is_reported(
    client: FlaskClient, world: AppContext, silent_ms: int, fresh: bool
) -> None:
    beat(world, silent_ms)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.get_json()["data"]["parts"]["reconciler"]["ok"]) == (200, fresh)


@pytest.mark.parametrize(("works", "told"), [(True, "ok"), (False, "degraded")])
def test_a_service_whose_parts_do_not_all_work_is_degraded(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, works: bool, told: str
) -> None:
    found = {"database": {"ok": True}, "reconciler": {"ok": works}}
    monkeypatch.setattr(views, "parts", lambda world: found)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.get_json()["data"]["status"]) == (200, told)


def test_a_look_of_the_reconciler_that_takes_long_is_named(client: FlaskClient, world: AppContext) -> None:
    beat(world, 1_000, slow={"messages": 7_300})
    part = client.get("/readyz").get_json()["data"]["parts"]["reconciler"]
    assert (part["ok"], part["slow"], "messages" in part["reason"]) == (False, {"messages": 7_300}, True)


def test_prometheus_gets_numbers_from_sql_without_ids(client: FlaskClient, world: AppContext) -> None:
    plant_run(world, "run_secret_id", type="server.inspect", status="running", expect_since=1)
    row = {"tenant_id": world.db.tenant, "type": "server.inspect", "status": "completed", "slot": 0}
    world.db.write(lambda tx: tx.execute(insert(tables.totals), {**row, "runs": 3, "duration_ms": 4500}))
    beat(world, 2_000)
    text = client.get("/metrics").get_data(as_text=True)
    assert 'windlass_runs_ended_total{status="completed",type="server.inspect"} 3.0' in text
    assert 'windlass_run_duration_seconds_total{status="completed",type="server.inspect"} 4.5' in text
    assert 'windlass_runs{status="running",type="server.inspect"} 1.0' in text
    assert re.search(r"windlass_reconciler_beat_age_seconds [2-9]\.", text)
    assert "windlass_message_oldest_age_seconds" in text
    assert "run_secret_id" not in text


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Every operation of a document."""
    return [item[method] for item in document["paths"].values() for method in METHODS & set(item)]


def test_the_document_is_openapi_3_1_and_the_snapshot_is_true(app: Flask) -> None:
    document = openapi.document(app)
    assert document["openapi"] == "3.1.0"
    assert json.loads(SNAPSHOT.read_text()) == json.loads(json.dumps(document))


def test_every_operation_has_a_name_of_its_own_and_a_summary(app: Flask) -> None:
    found = operations(openapi.document(app))
    names = [operation["operationId"] for operation in found]
    assert len(names) == len(set(names)) == len(found)
    assert all(operation["summary"] for operation in found)


def test_every_json_success_and_body_has_an_example(app: Flask) -> None:
    for operation in operations(openapi.document(app)):
        contents = [operation.get("requestBody", {})]
        contents += [each for status, each in operation["responses"].items() if status[0] == "2"]
        for content in contents:
            media = content.get("content", {}).get("application/json", {"example": {}})
            name = operation["operationId"]
            assert "example" in media or name == "openapi", name


def test_every_example_of_an_answer_keeps_to_its_shape(app: Flask) -> None:
    schemas = openapi.document(app)["components"]["schemas"]
    for operation in operations(openapi.document(app)):
        for status, answer in operation["responses"].items():
            media = answer.get("content", {}).get("application/json", {})
            if status[0] == "2" and "$ref" in media.get("schema", {}):
                shape = schemas[media["schema"]["$ref"].rpartition("/")[2]]
                assert set(shape["required"]) <= set(media["example"]), operation["operationId"]


def test_every_code_has_its_line_with_cause_and_remedy_on_the_problems_page(client: FlaskClient) -> None:
    page = client.get("/docs/problems").get_data(as_text=True)
    for kind in openapi.codes():
        assert issubclass(kind, Rejected)
        assert page.count(f'id="{kind.code.lower().replace("_", "-")}"') == 1
    for code in remedies.codes():
        assert f'id="{code.anchor}"' in page
        assert code.cause and code.remedy != remedies.ELSEWHERE, code
    assert {code.code for code in remedies.codes()} == remedies.REMEDIES.keys()


def test_the_type_of_a_problem_leads_to_its_line(client: FlaskClient) -> None:
    path, _, fragment = client.get("/v1/nothing").get_json()["type"].partition("#")
    assert f'id="{fragment}"' in client.get(path).get_data(as_text=True)


PAGES = ["/docs", "/docs/problems", "/docs/shapes", "/docs/operations/startRun"]


@pytest.mark.parametrize("path", PAGES)
def test_pages_load_nothing_from_elsewhere(client: FlaskClient, path: str) -> None:
    answer = client.get(path, headers={"Accept": "text/html"})
    text = answer.get_data(as_text=True)
    assert answer.mimetype == "text/html"
    assert not re.search(r"style=|onclick", text)
    assert re.findall(r'<script [^>]*src="([^"]+)"', text) == ["/docs/viewer.js"]
    assert re.findall(r'<link [^>]*href="([^"]+)"', text) == ["/docs/style.css"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_the_docs_page_has_every_operation(client: FlaskClient, app: Flask) -> None:
    page = client.get("/docs").get_data(as_text=True)
    for operation in operations(openapi.document(app)):
        assert f'id="{operation["operationId"]}"' in page
    assert len(page) < 80_000


def test_each_operation_has_a_page_from_which_it_can_be_tried(client: FlaskClient, app: Flask) -> None:
    for operation in operations(openapi.document(app)):
        page = client.get(f"/docs/operations/{operation['operationId']}").get_data(as_text=True)
        assert '<form id="try" hidden' in page and "Answers" in page
    page = client.get("/docs/operations/getRun").get_data(as_text=True)
    assert 'name="runId" data-in="path"' in page and 'href="/docs/shapes#RunDetailAnswer"' in page
    assert client.get("/docs/operations/nothing").status_code == 404


def test_the_words_of_a_parameter_stand_beside_what_is_said_of_it(client: FlaskClient) -> None:
    page = client.get("/docs/operations/startRun").get_data(as_text=True)
    assert re.search(r"<code>onConflict</code>.*What to do when [^<.]*\. One of reject, queue; default", page)


def test_generated_clients_know_the_members_of_every_answer(app: Flask) -> None:
    """What a client made from the document would type as unknown: an answer without members."""
    bare: list[str] = []
    for operation in operations(openapi.document(app)):
        for status, answer in operation["responses"].items():
            schema = answer.get("content", {}).get("application/json", {}).get("schema")
            if status.startswith("2") and schema in ({}, {"type": "object"}):
                bare.append(operation["operationId"])
    assert bare == ["openapi"]


def test_the_answers_of_an_operation_begin_with_success(client: FlaskClient) -> None:
    page = client.get("/docs/operations/startRun").get_data(as_text=True)
    found = re.findall(r"<summary><b>(\d+)</b>", page)
    assert found == sorted(found) and found[0][0] == "2"


def test_the_start_page_leads_to_the_console(client: FlaskClient) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/console/")


def test_the_style_is_a_style(client: FlaskClient) -> None:
    assert client.get("/docs/style.css").mimetype == "text/css"


@pytest.mark.parametrize("name", ["Problem503", "Error503"])
def test_the_example_of_an_outage_is_the_one_that_callers_meet(app: Flask, name: str) -> None:
    (content,) = openapi.document(app)["components"]["responses"][name]["content"].values()
    assert content["example"]["error"]["code"] == "UNAVAILABLE"
