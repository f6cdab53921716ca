"""Metrics over ended runs (contracts/runs.rst#metrics)."""

from collections.abc import Mapping
from typing import Any

from app.api.http.context import world
from app.api.http.envelope import Answer
from app.api.http.family import Family
from app.api.v1 import examples
from app.api.v1.metrics.numbers import measured
from app.api.v1.metrics.schemas import MetricsQuery, MetricsShape, PeriodQuery
from app.services import runs as service

metrics = Family("metrics", "Aggregates: how many runs ended how, how long they took, why they failed.")


@metrics.serve("GET", "/v1/workflows/metrics", "getMetrics", scope="runs:read")
@metrics.arguments(MetricsQuery, location="query")
@metrics.response(200, MetricsShape, example=examples.METRICS)
def get_metrics(query: dict[str, Any]) -> Answer:
    """Metrics of all types but ``sync.*``, or of one; of the last 30 days unless told."""
    if "type" in query:
        service.check_measured(world(), query["type"])
    return world().db.read(lambda tx: measured(tx, query))


@metrics.serve("GET", "/v1/workflows/metrics/<type_name>", "getMetricsOfType", scope="runs:read")
@metrics.arguments(PeriodQuery, location="query")
@metrics.response(200, MetricsShape, example=examples.METRICS)
def get_metrics_of_type(query: Mapping[str, object], type_name: str) -> Answer:
    """Metrics of one type of the catalogue."""
    service.type_(world(), type_name)
    return world().db.read(lambda tx: measured(tx, {**query, "type": type_name}))
