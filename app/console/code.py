"""Code workflows: which are served, which wait for a worker, and their runs."""

from flask import request

from app.console import api_client, runs
from app.console.family import pages
from app.console.render import render

PAGE = 50
Object = dict[str, object]


@pages.page("GET", "/code", scope="runs:read")
def code() -> str:
    """Definitions, those that nobody serves first, with the runs of each."""
    known = api_client.get("/api/workflows/definitions").data
    name = request.args.get("name", "")
    found = api_client.get("/v1/workflows/runs", type=name, limit=PAGE) if name else None
    return render(
        "code.html",
        title="Code workflows",
        definitions=sorted(known, key=lambda one: (one["served"], one["workflowName"])),
        name=name,
        rows=[runs.row(run) for run in found.data] if found else [],
    )
