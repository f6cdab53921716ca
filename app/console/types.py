"""The catalogue: what can be started, how it usually goes, and the form that starts it."""

import shlex
from typing import Any

from flask import make_response, redirect, request
from flask.typing import ResponseReturnValue

from app.console import api_client, forms, runs
from app.console.api_client import Refused
from app.console.family import ROOT, pages
from app.console.form_actions import FORM_ACTIONS
from app.console.render import form_key, now_ms, render
from app.domain.clock import rfc3339

TYPES = "/v1/workflows/types"
RUNS = "/v1/workflows/runs"
WEEK_MS = 7 * 86_400_000
RECENT = 30
# Types that are started by what takes their resource into the inventory.
OTHERWISE = {
    "server.register": "server-register",
    "cluster.create": "cluster-create",
    "vm.create": "vm-create",
}
# What the types of a resource stand under; whatever has no resource of its own comes last.
HEADINGS = {
    "server": "Servers",
    "cluster": "Clusters",
    "vm": "Virtual machines",
    "management": "Management clusters",
    "batch": "Batches",
}
REST = "The service itself"
Object = dict[str, Any]


@pages.page("GET", "/types", scope="runs:read")
def types() -> str:
    """Every type by resource, with how the last runs went."""
    known = api_client.get(TYPES).data
    measured = {
        one["type"]: one for one in api_client.get("/v1/workflows/metrics", since=_week_ago()).data["byType"]
    }
    by: dict[str, list[Object]] = {heading: [] for heading in (*HEADINGS.values(), REST)}
    for kind in known:
        by[_heading(kind)].append({**kind, "measured": measured.get(kind["type"])})
    return render(
        "types.html",
        title="Catalogue",
        by={heading: kinds for heading, kinds in by.items() if kinds},
        otherwise=OTHERWISE,
        form_actions=FORM_ACTIONS,
    )


@pages.page("GET", "/types/<type_name>", scope="runs:read")
def type_(type_name: str) -> str:
    """One type: its steps, its last runs, why it failed."""
    kind = api_client.get(f"{TYPES}/{type_name}").data
    recent = api_client.get(RUNS, type=type_name, limit=RECENT)
    return render(
        "type.html",
        title=kind["type"],
        kind=kind,
        rows=[runs.row(run) for run in recent.data],
        measured=api_client.get(f"/v1/workflows/metrics/{type_name}", since=_week_ago()).data,
        otherwise=OTHERWISE,
        longest=max([run["durationMs"] or 0 for run in recent.data], default=0) or 1,
    )


@pages.page("GET", "/start/<type_name>", scope="runs:write")
def ask_start(type_name: str) -> ResponseReturnValue:
    """The form of a type, filled from an earlier run where one is named."""
    if type_name in OTHERWISE:
        return redirect(f"{ROOT}/do/{OTHERWISE[type_name]}", 303)
    kind = _kind(type_name)
    before = _before(request.args.get("from"))
    value = before["input"] if before else forms.parse(kind["inputSchema"], request.args)[0]
    resource = request.args.get("resource") or (before or {}).get("resourceId") or ""
    return make_response(_form(kind, value, {"resourceId": resource}))


@pages.page("POST", "/start/<type_name>", scope="runs:write")
def start(type_name: str) -> ResponseReturnValue:
    """Start a run, or show its plan."""
    kind = _kind(type_name)
    value, wrong = forms.parse(kind["inputSchema"], request.form)
    about = {name: request.form.get(name, "").strip() for name in ("resourceId", "onFailure", "tags")}
    if wrong:
        return make_response(_form(kind, value, about, wrong=wrong), 400)
    body = _body(kind, value, about)
    try:
        if "plan" in request.form:
            plan = api_client.post(RUNS, body, query={"dryRun": "true"}).data
            return make_response(_form(kind, value, about, plan=plan))
        answer = api_client.post(RUNS, body, key=request.form.get("key"))
    except Refused as error:
        told = {name.removeprefix("input."): problem for name, problem in error.fields.items()}
        return make_response(_form(kind, value, about, wrong=told, error=error), error.status)
    return redirect(f"{ROOT}/runs/{answer.data['id']}", 303)


def _body(kind: Object, value: Object, about: dict[str, str]) -> Object:
    tags = [tag for tag in about["tags"].replace(",", " ").split() if tag]
    given = {
        **{n: about[n] for n in ("resourceId", "onFailure") if about[n]},
        **({"tags": tags} if tags else {}),
    }
    return {"type": kind["type"], "input": value, **given}


def _form(
    kind: Object,
    value: Any,
    about: dict[str, str],
    *,
    wrong: dict[str, str] | None = None,
    error: Refused | None = None,
    plan: Object | None = None,
) -> str:
    body = _body(kind, value or {}, {"onFailure": "", "tags": "", **about})
    return render(
        "start.html",
        title=f"Start {kind['type']}",
        kind=kind,
        fields=forms.fields(kind["inputSchema"], value, wrong),
        about={"onFailure": "", "tags": "", **about},
        wrong=wrong or {},
        error=error,
        plan=plan,
        key=request.form.get("key") if plan else form_key(),
        options=_options(kind["resource"]),
        command=_command(body),
    )


def _command(body: Object) -> str:
    """The same on the command line."""
    import json

    words = ["windlass", "run", "start", body["type"]]
    if body.get("resourceId"):
        words += ["--resource", body["resourceId"]]
    return shlex.join([*words, "--input", json.dumps(body["input"], ensure_ascii=False)])


def _heading(kind: Object) -> str:
    """Types of batches work on items of a batch, whatever resource they name."""
    family = kind["type"].partition(".")[0]
    return HEADINGS.get(kind["resource"] or family) or HEADINGS.get(family, REST)


def _options(resource: str | None) -> list[tuple[str, str]]:
    """Resources that may be meant: id and name."""
    paths = {"server": "servers", "cluster": "clusters", "vm": "vms", "management": "management-clusters"}
    if resource not in paths:
        return []
    try:
        found = api_client.get(f"/v1/{paths[resource]}", limit=100).data
    except Refused:
        return []
    return [(one["id"], one.get("displayName") or one.get("name") or one["id"]) for one in found]


def _kind(name: str) -> Object:
    return dict(api_client.get(f"{TYPES}/{name}").data)


def _before(run_id: str | None) -> Object | None:
    return dict(api_client.get(f"{RUNS}/{run_id}").data) if run_id else None


def _week_ago() -> str | None:
    return rfc3339((now_ms() - WEEK_MS) // 60_000 * 60_000)
