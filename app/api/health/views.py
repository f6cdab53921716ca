"""Probes and numbers for machines: /livez /readyz /startupz, /status, /ready, /metrics."""

from flask import Response

from app.api.health.exposition import exposition
from app.api.health.probes import parts
from app.api.health.schemas import HealthShape
from app.api.http.context import world
from app.api.http.envelope import Answer
from app.api.http.family import PUBLIC, Family
from app.api.v1 import examples

health = Family("health", "Whether the service works, and its numbers.")
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
ALIVE = {"status": "ok", "parts": {"process": {"ok": True}}}


@health.serve("GET", "/livez", "livez", scope=PUBLIC)
@health.serve("GET", "/status", "status", scope=PUBLIC)
@health.response(200, HealthShape, example=ALIVE)
def livez() -> Answer:
    """Whether this process answers at all; it asks no other part."""
    return ALIVE


@health.serve("GET", "/readyz", "readyz", scope=PUBLIC)
@health.serve("GET", "/ready", "ready", scope=PUBLIC)
@health.serve("GET", "/startupz", "startupz", scope=PUBLIC)
@health.also(503, HealthShape, description="The database does not answer.")
@health.response(200, HealthShape, example=examples.HEALTH)
def readyz() -> Answer:
    """Whether requests can be served; names the failing part. Only the database can make it 503.

    `degraded`: requests are served, and another part does not do its work.
    """
    found = parts(world())
    if not found["database"]["ok"]:
        return {"status": "failing", "parts": found}, 503, {"Retry-After": "2"}
    return {"status": "ok" if all(part["ok"] for part in found.values()) else "degraded", "parts": found}


@health.serve(
    "GET", "/metrics", "scrape", scope="runs:read", offers=("text/plain", "application/openmetrics-text")
)
@health.response(200, {"type": "string"}, content_type="text/plain", description="Prometheus text format.")
def scrape() -> Response:
    """The numbers that Prometheus scrapes."""
    return Response(exposition(world()), content_type=PROMETHEUS)
