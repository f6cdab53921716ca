"""Locks and queues, workers, health: who holds what, who serves what, and what is wrong."""

from typing import Any

from flask import request

from app.console import ask
from app.console.family import pages
from app.console.render import may, render
from app.domain.errors import Rejected

PAGE = 50
MOST_FINDINGS = 50  # The command line prints all of them.
Object = dict[str, Any]


@pages.page("GET", "/locks", scope="runs:read")
def locks() -> str:
    """Locks with their holders and who waits; queues with who serves them; types that are paused."""
    found = ask.get(
        "/v1/locks", limit=PAGE, resource=request.args.get("resource"), cursor=request.args.get("cursor")
    )
    return render(
        "locks.html",
        title="Locks and queues",
        rows=[{**one, "holder": _holder(one["runId"])} for one in found.data],
        page=found.pagination,
        resource=request.args.get("resource", ""),
        queues=ask.get("/v1/queues").data,
        paused=[kind for kind in ask.get("/v1/workflows/types").data if kind["paused"]],
        watch=ask.question("/v1/locks", {}, limit=PAGE),
    )


@pages.page("GET", "/workers", scope="runs:read")
def workers() -> str:
    """Everybody who works, and what each serves."""
    found = ask.get("/v1/workers").data
    queues = ask.get("/v1/queues").data
    return render(
        "workers.html",
        title="Workers",
        rows=found,
        unserved=[one["queue"] for one in queues if not one["workers"]],
        watch=ask.question("/v1/workers", {}),
    )


@pages.page("GET", "/health", scope="runs:read")
def health() -> str:
    """What the service says of itself, and what the doctor finds."""
    doctor = _or_none("/v1/doctor")
    return render(
        "health.html",
        title="Health",
        ready=_or_none("/readyz"),
        about=_or_none("/v1/about"),
        findings=None if doctor is None else doctor["findings"],
        most=MOST_FINDINGS,
        sources=_sources(),
    )


def _holder(run_id: str) -> Object | None:
    """The run that holds a lock, for its name and its answer line."""
    from app.console import runs

    try:
        return runs.row(ask.get(f"/v1/workflows/runs/{run_id}").data)
    except Rejected:
        return None


def _or_none(path: str) -> Any:
    try:
        return ask.get(path).data
    except Rejected:
        return None


def _sources() -> list[Object]:
    if not may("servers:read"):
        return []
    found = ask.get("/v1/management-clusters", limit=100).data
    return [
        {**source, "name": each["name"], "id": each["id"]} for each in found for source in each["sources"]
    ]
