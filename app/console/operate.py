"""Pages for operations: locks and queues, workers, health."""

from typing import Any

from flask import request

from app.console import api_client
from app.console.family import pages
from app.console.render import may, render
from app.domain.errors import Rejected

PAGE = 50
MOST_FINDINGS = 50  # The command line prints all of them.
Object = dict[str, Any]


@pages.page("GET", "/locks", scope="runs:read")
def locks() -> str:
    """Locks with holders and waiting runs, queues with their workers, and paused types."""
    found = api_client.get(
        "/v1/locks", limit=PAGE, resource=request.args.get("resource"), cursor=request.args.get("cursor")
    )
    return render(
        "locks.html",
        title="Locks and queues",
        rows=[{**one, "holder": _holder(one["runId"])} for one in found.data],
        page=found.pagination,
        resource=request.args.get("resource", ""),
        queues=api_client.get("/v1/queues").data,
        paused=[kind for kind in api_client.get("/v1/workflows/types").data if kind["paused"]],
        watch=api_client.question("/v1/locks", {}, limit=PAGE),
    )


@pages.page("GET", "/workers", scope="runs:read")
def workers() -> str:
    """Worker processes, and the queues that each serves."""
    found = api_client.get("/v1/workers").data
    queues = api_client.get("/v1/queues").data
    return render(
        "workers.html",
        title="Workers",
        rows=found,
        unserved=[one["queue"] for one in queues if not one["workers"]],
        watch=api_client.question("/v1/workers", {}),
    )


@pages.page("GET", "/health", scope="runs:read")
def health() -> str:
    """The health of the service, and the findings of the doctor."""
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
    """The run that holds a lock, to show its name and status line."""
    from app.console import runs

    try:
        return runs.row(api_client.get(f"/v1/workflows/runs/{run_id}").data)
    except Rejected:
        return None


def _or_none(path: str) -> Any:
    try:
        return api_client.get(path).data
    except Rejected:
        return None


def _sources() -> list[Object]:
    if not may("servers:read"):
        return []
    found = api_client.get("/v1/management-clusters", limit=100).data
    return [
        {**source, "name": each["name"], "id": each["id"]} for each in found for source in each["sources"]
    ]
