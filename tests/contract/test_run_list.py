"""The list of runs: filters, order, pages, cursors (contracts/runs.rst#lists)."""

import base64
import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.engine.transitions.step_rows import step_row
from app.record.runs import runs
from app.services.context import AppContext
from chains import catalogue
from tests.contract.plant import T0, ids, plant_run

PATH = "/v1/workflows/runs"
MINUTE = 60_000


@pytest.fixture
def some(world: AppContext) -> AppContext:
    """Runs that differ in every filter."""
    plant_run(
        world,
        "run_a",
        kind="code",
        version="1",
        status="completed",
        completed_at=T0 + 5,
        created_at=T0,
    )
    plant_run(world, "run_b", type="server.provision", status="failed_held", created_at=T0 + MINUTE)
    plant_run(
        world,
        "run_c",
        type="server.provision",
        status="failed",
        completed_at=T0 + 9 * MINUTE,
        created_at=T0 + 2 * MINUTE,
        started_at=T0 + 5 * MINUTE,
        resource_type="server",
        resource_id="srv_1",
        triggered_by="usr_ci",
        retry_of="run_a",
        error_code="BMC_REFUSED",
        acknowledged_at=T0,
        tags=["rack-7", "night"],
    )
    plant_run(
        world,
        "run_d",
        status="waiting",
        created_at=T0 + 3 * MINUTE,
        started_at=None,
        waiting_on={"kind": "hook"},
        parent_run_id="run_a",
    )
    plant_run(
        world, "run_s", type="sync.server-state", status="completed", completed_at=T0, created_at=T0 + 4
    )
    return world


FILTERS: tuple[tuple[str, list[str]], ...] = (
    ("", ["run_d", "run_c", "run_b", "run_a"]),
    ("type=server.provision", ["run_c", "run_b"]),
    ("kind=code", ["run_a"]),
    ("kind=declared", ["run_d", "run_c", "run_b"]),
    ("kind=code&type=server.provision", []),
    ("kind=batch", []),
    ("type=sync.server-state", ["run_s"]),
    ("type=no.such", []),
    ("tag=night&q=nobody", []),
    ("tag=night&retryOf=run_b", []),
    ("status=completed", ["run_a"]),
    ("status=failed", ["run_c"]),
    ("status=running", ["run_d", "run_b"]),
    ("resourceType=server", ["run_c"]),
    ("resourceId=srv_1", ["run_c"]),
    ("triggeredBy=usr_ci", ["run_c"]),
    ("retryOf=run_a", ["run_c"]),
    ("parentRunId=run_a", ["run_d"]),
    ("parentRunId=run_b", []),
    ("detail=failed_held", ["run_b"]),
    ("detail=failed", ["run_c"]),
    ("needsOperator=true", ["run_b"]),
    ("needsOperator=false", ["run_d", "run_c", "run_a"]),
    ("needsOperator=true&detail=blocked", []),
    ("status=failed&status=completed", ["run_c", "run_a"]),
    ("status=failed&status=running", ["run_d", "run_c", "run_b"]),
    ("-status=running", ["run_c", "run_a"]),
    ("-status=running&-status=failed", ["run_a"]),
    ("detail=failed_held&detail=failed", ["run_c", "run_b"]),
    ("-detail=waiting", ["run_c", "run_b", "run_a"]),
    ("status=failed&detail=running", []),
    ("type=server.provision&type=server.inspect", ["run_d", "run_c", "run_b", "run_a"]),
    ("type=server.provision&type=server.inspect&status=failed&status=completed", ["run_c", "run_a"]),
    ("-type=server.provision", ["run_d", "run_a"]),
    ("type=server.provision&type=sync.server-state&-type=server.provision", ["run_s"]),
    ("errorCode=BMC_REFUSED", ["run_c"]),
    ("errorCode=BMC_REFUSED&status=failed", ["run_c"]),
    ("errorCode=TIMEOUT", []),
    ("acknowledged=true", ["run_c"]),
    ("acknowledged=false&status=failed", []),
    ("tag=rack-7&status=failed&status=completed", ["run_c"]),
    ("tag=rack-7&-status=failed", []),
    ("q=run_c", ["run_c"]),
    ("q=run_", ["run_d", "run_c", "run_b", "run_s", "run_a"]),
    ("q=run_&status=failed&status=completed", ["run_c", "run_s", "run_a"]),
    ("q=nothing", []),
    ("waiting=true", ["run_d"]),
    ("waiting=false", ["run_c", "run_b", "run_a"]),
    ("tag=rack-7", ["run_c"]),
    ("tag=rack-7&tag=night", ["run_c"]),
    ("tag=rack-7&tag=day", []),
    ("since=2026-01-13T12:03:00Z", ["run_d", "run_c"]),
    ("until=2026-01-13T12:03:00Z", ["run_b", "run_a"]),
    ("since=2026-01-13", ["run_d", "run_c", "run_b", "run_a"]),
    ("since=2026-01-14", []),
    ("type=server.provision&status=failed&resourceId=srv_1", ["run_c"]),
)


@pytest.mark.parametrize(("query", "expected"), FILTERS)
def test_a_filter_leaves_the_runs_that_match_newest_first(
    some: AppContext, client: FlaskClient, query: str, expected: list[str]
) -> None:
    assert ids(client.get(f"{PATH}?{query}")) == expected


REFUSED = (
    ("status=done", "status.0"),
    ("kind=app", "kind"),
    ("since=yesterday", "since"),
    ("since=2026-02-01&until=2026-01-01", "since"),
    ("limit=0", "limit"),
    ("limit=101", "limit"),
    ("limit=ten", "limit"),
    ("page=0", "page"),
    ("resourceType=rack", "resourceType"),
    ("waiting=1", "waiting"),
    ("status=failed&status=done", "status.1"),
    ("-status=done", "-status.0"),
    ("triggeredBy=a&triggeredBy=b", "triggeredBy"),
    ("q=", "q"),
    ("errorCode=", "errorCode"),
    ("detail=gone", "detail.0"),
    ("&".join(f"type=t{n}" for n in range(11)), "type"),
    ("sort=id", "sort"),
    ("cursor=eyJpZCI6InJ1bl94eXoifQ", "cursor"),
    ("tag=<script>", "tag.0"),
)


@pytest.mark.parametrize(("query", "field"), REFUSED)
def test_a_wrong_query_is_refused_and_the_field_named(client: FlaskClient, query: str, field: str) -> None:
    answer = client.get(f"{PATH}?{query}")
    assert answer.status_code == 400
    assert answer.get_json()["error"]["code"] == "VALIDATION_ERROR"
    assert field in answer.get_json()["error"]["details"]["fields"]


def test_a_failed_run_shows_its_error_and_where_to_retry_as_it_does_by_itself(
    world: AppContext, client: FlaskClient
) -> None:
    plant_run(
        world,
        "run_a",
        type="server.provision",
        status="failed",
        completed_at=T0 + 9,
        error_step="install",
        error_code="INSTALL_FAILED",
        error_message="It reported 'failed'.",
    )
    rows = [step_row("run_a", row) for row in catalogue.types()["server.provision"].plan({}).rows()]
    for row in rows:
        row["first_started_at"] = T0
    world.db.write(lambda tx: runs.insert_steps(tx, rows))
    (listed,) = client.get(PATH).get_json()["data"]
    assert listed["error"]["retryFrom"] == "boot-from"
    assert listed["error"] == client.get(f"{PATH}/run_a").get_json()["data"]["error"]


def test_cursors_walk_every_row_once_whatever_is_added_meanwhile(
    world: AppContext, client: FlaskClient
) -> None:
    expected = [plant_run(world, f"run_{n:02}", created_at=T0 + n // 2) for n in range(10)][::-1]
    found: list[str] = []
    query = f"{PATH}?limit=3"
    while query:
        page = client.get(query)
        found += ids(page)
        plant_run(world, f"run_new{len(found)}", created_at=T0 + 1000)
        cursor = page.get_json()["meta"]["pagination"].get("nextCursor")
        query = f"{PATH}?limit=3&cursor={cursor}" if cursor else ""
    assert found == expected


def test_the_link_header_leads_to_the_next_page(world: AppContext, client: FlaskClient) -> None:
    for n in range(3):
        plant_run(world, f"run_{n}", created_at=T0 + n, tags=["a b"[0]])
    first = client.get(f"{PATH}?limit=2&tag=a")
    address, relation = first.headers["Link"].split("; ")
    assert relation == 'rel="next"'
    assert ids(client.get(address.strip("<>"))) == ["run_0"]


def test_the_cursor_is_json_with_the_id_in_base64url(world: AppContext, client: FlaskClient) -> None:
    for n in range(2):
        plant_run(world, f"run_{n}", created_at=T0 + n)
    cursor = client.get(f"{PATH}?limit=1").get_json()["meta"]["pagination"]["nextCursor"]
    body = cursor.partition(".")[0]
    assert json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["id"] == "run_1"


def test_a_cursor_of_other_filters_is_refused(world: AppContext, client: FlaskClient) -> None:
    for n in range(2):
        plant_run(world, f"run_{n}", created_at=T0 + n)
    cursor = client.get(f"{PATH}?limit=1").get_json()["meta"]["pagination"]["nextCursor"]
    assert client.get(f"{PATH}?limit=1&status=running&cursor={cursor}").status_code == 400
    assert client.get(f"{PATH}?limit=2&cursor={cursor}").status_code == 200


@pytest.mark.parametrize("place", range(0, 60, 7))
def test_a_changed_cursor_is_refused(world: AppContext, client: FlaskClient, place: int) -> None:
    for n in range(2):
        plant_run(world, f"run_{n}", created_at=T0 + n)
    cursor = client.get(f"{PATH}?limit=1").get_json()["meta"]["pagination"]["nextCursor"]
    changed = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
    assert client.get(PATH, query_string={"limit": 1, "cursor": changed}).status_code == 400


def test_the_last_page_has_no_cursor_and_no_link(world: AppContext, client: FlaskClient) -> None:
    plant_run(world, "run_1")
    answer = client.get(PATH)
    assert answer.get_json()["meta"]["pagination"] == {
        "total": 1,
        "page": 1,
        "pageSize": 20,
        "hasMore": False,
    }
    assert "Link" not in answer.headers


def test_numbered_pages_reach_the_first_ten_thousand_rows_only(client: FlaskClient) -> None:
    assert client.get(f"{PATH}?limit=100&page=100").status_code == 200
    refused = client.get(f"{PATH}?limit=100&page=101")
    assert refused.status_code == 400
    assert "nextCursor" in refused.get_json()["error"]["details"]["fields"]["page"]


def test_a_numbered_page_says_its_number(world: AppContext, client: FlaskClient) -> None:
    for n in range(3):
        plant_run(world, f"run_{n}", created_at=T0 + n)
    answer = client.get(f"{PATH}?limit=2&page=2")
    assert ids(answer) == ["run_0"]
    assert answer.get_json()["meta"]["pagination"]["page"] == 2


def test_the_total_is_exact_as_long_as_it_is_small(some: AppContext, client: FlaskClient) -> None:
    pagination: Any = client.get(f"{PATH}?limit=1").get_json()["meta"]["pagination"]
    assert pagination["total"] == 4
    assert "totalIsEstimate" not in pagination


def test_a_time_to_come_finds_nothing_where_nothing_is(client: FlaskClient) -> None:
    answer = client.get("/v1/workflows/runs?since=2896-07-03T20:36:21.37Z")
    assert (answer.status_code, answer.get_json()["data"]) == (200, [])
