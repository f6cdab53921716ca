"""Metrics: counts, success rate, nearest-rank times, reasons (contracts/runs.rst#metrics)."""

import math
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.services.context import AppContext
from tests.contract.plant import T0, plant_run

PATH = "/v1/workflows/metrics"
PERIOD = "since=2026-01-13T12:00:00Z&until=2026-01-14"


def ended(world: AppContext, n: int, status: str, took: int = 1000, **changes: Any) -> None:
    """A run that ended within the period."""
    plant_run(world, f"run_{status}_{n}", status=status, started_at=T0, completed_at=T0 + took, **changes)


@pytest.fixture
def seeded(world: AppContext) -> AppContext:
    """142 completed, 8 + 3 + 1 failed, 2 cancelled."""
    for n in range(142):
        ended(world, n, "completed", took=(n + 1) * 1000)
    codes = ["POOL_CAPACITY_EXCEEDED"] * 8 + ["BMC_CONNECTION_FAILED"] * 3 + ["QUOTA_EXCEEDED"]
    for n, code in enumerate(codes):
        ended(world, n, "failed", error_code=code)
    for n in range(2):
        ended(world, n, "cancelled")
    plant_run(world, "run_open", status="running")
    return world


def test_the_numbers_of_the_seed_come_out_as_the_seed_has_them(
    seeded: AppContext, client: FlaskClient
) -> None:
    data = client.get(f"{PATH}/server.inspect?{PERIOD}").get_json()["data"]
    assert data["summary"] == {
        "total": 156,
        "completed": 142,
        "failed": 12,
        "cancelled": 2,
        "successRate": 0.91,
    }
    assert data["failureReasons"] == [
        {"code": "POOL_CAPACITY_EXCEEDED", "count": 8},
        {"code": "BMC_CONNECTION_FAILED", "count": 3},
        {"code": "QUOTA_EXCEEDED", "count": 1},
    ]


def test_percentiles_are_nearest_rank_over_completed_runs(seeded: AppContext, client: FlaskClient) -> None:
    timing = client.get(f"{PATH}/server.inspect?{PERIOD}").get_json()["data"]["timing"]
    expected = {f"p{p}Ms": math.ceil(142 * p / 100) * 1000 for p in (50, 90, 99)}
    assert timing == {**expected, "avgMs": 71_500}


def test_a_bare_date_is_its_midnight(client: FlaskClient) -> None:
    data = client.get(f"{PATH}?since=2026-01-01&until=2026-01-02").get_json()["data"]
    assert data["period"] == {"from": "2026-01-01T00:00:00.000Z", "to": "2026-01-02T00:00:00.000Z"}


def test_an_empty_period_has_no_times_and_no_rate(client: FlaskClient) -> None:
    data = client.get(f"{PATH}?{PERIOD}").get_json()["data"]
    assert data["timing"] == {"p50Ms": None, "p90Ms": None, "p99Ms": None, "avgMs": None}
    assert data["summary"]["successRate"] is None
    assert data["failureReasons"] == []


def test_without_a_type_there_are_totals_and_each_type(world: AppContext, client: FlaskClient) -> None:
    ended(world, 1, "completed", took=1000, type="server.inspect")
    ended(world, 2, "completed", took=3000, type="server.provision")
    data = client.get(f"{PATH}?{PERIOD}").get_json()["data"]
    assert (data["type"], data["summary"]["total"], data["timing"]["avgMs"]) == (None, 2, 2000)
    assert [(one["type"], one["timing"]["p50Ms"]) for one in data["byType"]] == [
        ("server.inspect", 1000),
        ("server.provision", 3000),
    ]


def test_with_a_type_only_that_type_counts(world: AppContext, client: FlaskClient) -> None:
    ended(world, 1, "completed", type="server.inspect")
    ended(world, 2, "completed", type="server.provision")
    data = client.get(f"{PATH}?type=server.inspect&{PERIOD}").get_json()["data"]
    assert (data["type"], data["summary"]["total"], "byType" in data) == ("server.inspect", 1, False)


def test_the_period_is_thirty_days_unless_told(world: AppContext, client: FlaskClient) -> None:
    ended(world, 1, "completed")
    data = client.get(f"{PATH}?until=2026-02-13T12:00:00Z").get_json()["data"]
    assert data["period"]["from"] == "2026-01-14T12:00:00.000Z"
    assert data["summary"]["total"] == 0


def test_the_reasons_of_failure_sum_to_the_failures(world: AppContext, client: FlaskClient) -> None:
    ended(world, 1, "failed", error_code=None)
    ended(world, 2, "failed", error_code="STEP_FAILED")
    data = client.get(f"{PATH}?{PERIOD}").get_json()["data"]
    assert sum(reason["count"] for reason in data["failureReasons"]) == data["summary"]["failed"] == 2


def test_metrics_of_an_unknown_type_are_404(client: FlaskClient) -> None:
    assert client.get(f"{PATH}/no.such").status_code == 404


def test_metrics_have_no_pagination(client: FlaskClient) -> None:
    assert set(client.get(PATH).get_json()["meta"]) == {"requestId", "timestamp"}


def test_runs_that_keep_the_record_count_only_where_asked_for(client: FlaskClient, world: AppContext) -> None:
    ended(world, 1, "completed")
    ended(world, 2, "completed", type="sync.cluster-state")
    answers = [client.get(f"{PATH}?{PERIOD}{type_}") for type_ in ("", "&type=sync.cluster-state")]
    assert [answer.get_json()["data"]["summary"]["total"] for answer in answers] == [1, 1]


@pytest.mark.parametrize(
    ("query", "field"), [("type=no.such", "type"), ("since=2100-01-01", "since")], ids=["type", "since"]
)
def test_what_can_have_no_numbers_is_refused(client: FlaskClient, query: str, field: str) -> None:
    answer = client.get(f"{PATH}?{query}")
    assert (answer.status_code, set(answer.get_json()["error"]["details"]["fields"])) == (400, {field})


def test_an_interval_has_the_numbers_of_each_part(world: AppContext, client: FlaskClient) -> None:
    for n, seconds in enumerate((0, 10, 3_700)):
        ended(world, n, "completed", took=seconds * 1000)
    ended(world, 9, "failed", error_code="TIMEOUT")
    query = "since=2026-01-13T12:00:00Z&until=2026-01-13T15:00:00Z&interval=hour"
    data = client.get(f"/v1/workflows/metrics?{query}").get_json()["data"]
    assert [one["from"][11:16] for one in data["buckets"]] == ["12:00", "13:00", "14:00"]
    assert [one["summary"]["total"] for one in data["buckets"]] == [3, 1, 0]
    assert data["buckets"][0]["summary"]["failed"] == 1
    assert data["buckets"][2]["timing"]["p50Ms"] is None


def test_a_breakdown_has_reasons_by_step_and_by_resource(world: AppContext, client: FlaskClient) -> None:
    for n in range(3):
        where: dict[str, Any] = {"error_step": "power", "resource_id": f"srv_{n % 2}"}
        ended(world, n, "failed", error_code="BMC_REFUSED", **where)
    query = "since=2026-01-13T12:00:00Z&until=2026-01-13T15:00:00Z&breakdown=true"
    data = client.get(f"/v1/workflows/metrics?{query}").get_json()["data"]
    assert data["failuresByStep"] == [{"step": "power", "code": "BMC_REFUSED", "count": 3}]
    assert [(one["resourceId"], one["count"]) for one in data["failuresByResource"]] == [
        ("srv_0", 2),
        ("srv_1", 1),
    ]


@pytest.mark.parametrize("query", ["interval=year", "interval=minute&since=2020-01-01", "breakdown=yes"])
def test_parts_that_cannot_be_are_refused(client: FlaskClient, query: str) -> None:
    assert client.get(f"/v1/workflows/metrics?{query}").status_code == 400
