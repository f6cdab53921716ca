"""The list of runs: its parameters are its state, so that a list can be sent to somebody."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from flask import Response, redirect, request
from flask.typing import ResponseReturnValue

from app.console import api_client, words
from app.console.chips import SEVERAL, Chip, chips, question
from app.console.family import ROOT, pages
from app.console.render import now_ms, render
from app.console.spans import parse

PATH = "/v1/workflows/runs"
PAGE = 50
MOST_CELLS = 40  # Steps that are drawn in a line of the list.
DONE = ("ok", "skip")
MOST_EXPORTED = 10_000
JSON = ("application/json", "text/html")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
COLUMNS = (
    *("id", "type", "status", "detail", "resourceType", "resourceId", "resourceName", "triggeredBy"),
    *("createdAt", "startedAt", "completedAt", "durationMs"),
)
Object = dict[str, object]


@pages.page("GET", "/runs", scope="runs:read")
def runs() -> str:
    """Runs, newest first."""
    asked = question(request.args, now_ms())
    found = api_client.get(PATH, **asked, limit=PAGE, cursor=request.args.get("cursor"))
    return render(
        "runs.html",
        title="Runs",
        rows=[row(run) for run in found.data],
        page=found.pagination,
        chips=filters(),
        watch=api_client.question(PATH, asked, limit=1),
        asked=asked,
        asked_args=[(name, value) for name, value in request.args.items(multi=True) if name != "cursor"],
        several=SEVERAL,
        text=request.args.get("q", ""),
        seen=found.data[0]["id"] if found.data else "",
        views=[{**view, "here": _same(view["query"])} for view in api_client.get("/v1/views").data],
        query=_query(),
    )


@pages.page("POST", "/views", scope="runs:read")
def save_view() -> ResponseReturnValue:
    """Keep the filters of a list under a name."""
    query, name = request.form.get("query", ""), request.form.get("name", "").strip()
    api_client.post("/v1/views", {"name": name, "query": query})
    return redirect(f"{ROOT}/runs?{query}", 303)


@pages.page("POST", "/views/<view_id>/delete", scope="runs:read")
def delete_view(view_id: str) -> ResponseReturnValue:
    """Forget a view."""
    api_client.request("DELETE", f"/v1/views/{view_id}")
    return redirect(f"{ROOT}/runs", 303)


@pages.page("GET", "/runs.csv", scope="runs:read", offers=("text/csv", "text/html"))
def export() -> Response:
    """The filtered list as comma-separated lines, the newest first."""
    file = io.StringIO()
    table = csv.writer(file)
    table.writerow(COLUMNS)
    for run in _every(question(request.args, now_ms())):
        table.writerow([_cell(run.get(name)) for name in COLUMNS])
    named = {"Content-Disposition": "attachment; filename=runs.csv"}
    return Response(file.getvalue(), content_type="text/csv; charset=utf-8", headers=named)


@pages.page("GET", "/runs.json", scope="runs:read", offers=JSON)
def export_json() -> Response:
    """The filtered list as JSON, the newest first, as the API answers it."""
    return _file("runs.json", list(_every(question(request.args, now_ms()))))


@pages.page("GET", "/runs/<run_id>/export", scope="runs:read", offers=JSON)
def export_run(run_id: str) -> Response:
    """A run, its steps and its log as one document."""
    found = api_client.get(f"{PATH}/{run_id}/export").data
    return _file(f"{found['run']['id']}.json", found)


def _file(name: str, value: object) -> Response:
    """A value as a file to keep."""
    text = json.dumps(value, ensure_ascii=False, indent=1)
    named = {"Content-Disposition": f"attachment; filename={name}"}
    return Response(text, content_type="application/json; charset=utf-8", headers=named)


def row(run: Mapping[str, Any]) -> Object:
    """A run as a line of a list."""
    now = now_ms()
    began = parse(run["startedAt"])
    steps = [_cell_look(step) for step in run.get("steps") or ()]
    return {
        **run,
        "why": words.brief(run, now),
        "tookMs": run["durationMs"] if run["durationMs"] is not None else began and max(0, now - began),
        "isOpen": run["completedAt"] is None,
        "cells": steps[:MOST_CELLS],
        "stepsDone": sum(look in DONE for look, _ in steps),
        "stepsAll": len(steps),
    }


def _query() -> str:
    """The filters of this page as the query of an address."""
    kept = [(name, value) for name, value in request.args.items(multi=True) if name != "cursor" and value]
    return urlencode(kept)


def _same(query: str) -> bool:
    return sorted(parse_qsl(query)) == sorted(parse_qsl(_query()))


def filters() -> list[Chip]:
    """The filters of the list."""
    return chips(request.args, [kind["type"] for kind in api_client.get("/v1/workflows/types").data])


def _cell_look(step: Mapping[str, Any]) -> tuple[str, str]:
    looks = {"completed": "ok", "failed": "fail", "running": "run", "skipped": "skip"}
    return looks.get(step["status"], ""), f"{step['name']}: {step['status']}"


def _every(asked: Mapping[str, object]) -> Iterator[Object]:
    cursor, left = None, MOST_EXPORTED
    while left > 0:
        found = api_client.get(PATH, **asked, limit=100, cursor=cursor)
        yield from found.data[:left]
        left -= len(found.data)
        cursor = found.pagination.get("nextCursor")
        if not cursor:
            return


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text
