"""Search: ids, names, serials and addresses; one thing found is gone to at once."""

from typing import Any

from flask import jsonify, redirect, request
from flask.typing import ResponseReturnValue

from app.console import ask
from app.console.family import ROOT, pages
from app.console.render import may, render
from app.domain.errors import Rejected

EACH = 8
Found = dict[str, str]
JSON_OR_HTML = ("text/html", "application/json")


@pages.page("GET", "/search", scope="runs:read", offers=JSON_OR_HTML)
def search() -> ResponseReturnValue:
    """What a text may mean."""
    text = request.args.get("q", "").strip()[:200]
    found = find(text) if text else []
    if request.accept_mimetypes.best_match(JSON_OR_HTML) == "application/json":
        return jsonify(found)
    if len(found) == 1:
        return redirect(found[0]["path"], 303)
    return render("search.html", title="Search", text=text, found=found)


def find(text: str) -> list[Found]:
    """Runs and resources that may be meant, the most likely first."""
    return [*_runs(text), *_resources(text)][: 3 * EACH]


def _runs(text: str) -> list[Found]:
    run_id = text if text.startswith("run_") else ""
    try:
        run = ask.get(f"/v1/workflows/runs/{run_id}").data if run_id else None
    except Rejected:
        return []
    return [_run(run)] if run else []


def _run(run: dict[str, Any]) -> Found:
    of = f" on {run['resourceName']}" if run.get("resourceName") else ""
    return {
        "title": f"{run['type']}{of}",
        "about": f"run, {run['detail']}",
        "path": f"{ROOT}/runs/{run['id']}",
    }


def _resources(text: str) -> list[Found]:
    if not may("servers:read"):
        return []
    found: list[Found] = []
    for kind in ("servers", "clusters", "vms"):
        try:
            rows = ask.get(f"/v1/{kind}", q=text, limit=EACH).data
        except Rejected:
            continue
        found += [
            {
                "title": str(row.get("displayName") or row.get("name") or row["id"]),
                "about": f"{kind.rstrip('s')}, {row['state']}",
                "path": f"{ROOT}/{kind}/{row['id']}",
            }
            for row in rows
        ]
    return found
