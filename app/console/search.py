"""Search: ids, names, serials and addresses, as the API finds them; one thing found is gone to at once."""

from typing import Any

from flask import jsonify, redirect, request
from flask.typing import ResponseReturnValue

from app.console import api_client
from app.console.family import ROOT, pages
from app.console.render import render
from app.domain.errors import Rejected
from app.services.search import SHORTEST

Found = dict[str, str]
JSON_OR_HTML = ("text/html", "application/json")
# The page of each kind of thing; what has none of its own is found in the list of its kind.
PAGES = {
    "run": "/runs/{id}",
    "server": "/servers/{id}",
    "cluster": "/clusters/{id}",
    "vm": "/vms/{id}",
    "pool": "/servers?poolId={id}",
    "schedule": "/schedules/{id}",
    "type": "/types/{id}",
    "management": "/health",
}


@pages.page("GET", "/search", scope="runs:read", offers=JSON_OR_HTML)
def search() -> ResponseReturnValue:
    """What a text may mean."""
    text = request.args.get("q", "").strip()[:128]
    found = find(text) if len(text) >= SHORTEST else []
    if request.accept_mimetypes.best_match(JSON_OR_HTML) == "application/json":
        return jsonify(found)
    if len(found) == 1:
        return redirect(found[0]["path"], 303)
    return render("search.html", title="Search", text=text, found=found, shortest=SHORTEST)


def find(text: str) -> list[Found]:
    """Runs, resources, schedules and types that may be meant, the most likely first."""
    try:
        hits = api_client.get("/v1/search", q=text).data
    except Rejected:
        return []  # What no database can hold is the name of nothing.
    return [_found(hit) for hit in hits if hit["kind"] in PAGES]


def _found(hit: dict[str, Any]) -> Found:
    state = f", {hit['state']}" if hit.get("state") else ""
    return {
        "title": str(hit.get("name") or hit["id"]),
        "about": f"{hit['kind']}{state}".replace("_", " "),
        "path": ROOT + PAGES[hit["kind"]].format(id=hit["id"]),
    }
