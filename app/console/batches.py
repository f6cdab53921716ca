"""Pages: the list of batches, one batch with its graph and actions, its submit and its rollback."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from flask import make_response, redirect, request
from flask.typing import ResponseReturnValue

from app.console import api_client, appearance, graph
from app.console.api_client import Refused
from app.console.family import ROOT, pages
from app.console.render import address, form_key, render
from app.domain.errors import Rejected

PATH = "/v1/workflows/batch"
PAGE = 50
MOST_LISTED = 500  # Operations in the table of a page; the API has all of them.
MOST_AWAITING = 10  # Batches of a status that are checked for missing approvals.
AWAITS = "awaits_approval"
OPEN = ("Pending", "Running")
STATUSES = (
    *("Running", "Pending", "Completed", "PartiallyCompleted", "Failed", "Cancelled"),
    *("RollingBack", "RolledBack", "RollbackFailed"),
)
# The possible actions by the status of a batch; a paused one may be resumed instead of paused.
ACTIONS: dict[str, tuple[str, ...]] = {
    "Pending": ("pause", "checkpoint", "cancel"),
    "Running": ("pause", "checkpoint", "cancel"),
    "Completed": ("retry",),
    "PartiallyCompleted": ("retry",),
    "Failed": ("retry",),
    "Cancelled": ("retry",),
    "RolledBack": ("retry",),
    "RollbackFailed": ("retry",),
}
Object = dict[str, Any]


@pages.page("GET", "/batches", scope="runs:read")
def batches() -> str:
    """Batches, newest first."""
    asked = {name: request.args.get(name, "").strip() for name in ("status", "name")}
    offset = _whole(request.args.get("offset"))
    found = api_client.get(PATH, **asked, limit=PAGE, offset=offset)
    total = int(found.pagination["total"])
    return render(
        "batches.html",
        title="Batches",
        rows=found.data,
        asked=asked,
        statuses=STATUSES,
        total=total,
        newer=address(offset=max(0, offset - PAGE) or None) if offset else "",
        older=address(offset=offset + PAGE) if offset + PAGE < total else "",
        look=appearance.batch_look,
        watch=api_client.question(PATH, asked, limit=PAGE, offset=offset),
    )


@pages.page("GET", "/batches/new", scope="runs:write")
def ask_batch() -> str:
    """The form of a new batch."""
    return _form({})


@pages.page("POST", "/batches/new", scope="runs:write")
def submit() -> ResponseReturnValue:
    """Start a batch, or show what it would do."""
    given = {name: request.form.get(name, "") for name in ("definition", "only")}
    body = {**_definition(given["definition"]), "only": given["only"].replace(",", " ").split()}
    try:
        if "plan" in request.form:
            plan = api_client.post(f"{PATH}/submit", {**body, "dry_run": True}).data
            return make_response(_form(given, plan=plan))
        answer = api_client.post(f"{PATH}/submit", {**body, "idempotency_key": request.form.get("key")})
    except Refused as error:
        return make_response(_form(given, error=error), error.status)
    return redirect(f"{ROOT}/batches/{answer.data['workflow_id']}", 303)


@pages.page("GET", "/batches/<batch_id>", scope="runs:read")
def batch(batch_id: str) -> str:
    """One batch: its graph, operations, checkpoints and rollback."""
    where = _one(batch_id)
    shown: Object = api_client.get(where, items="false").data
    operations: list[Object] = shown["operations"]
    drawn = api_client.get(f"{where}/graph").data
    chosen = _chosen(operations)
    return render(
        "batch.html",
        title=shown["name"],
        one=shown,
        drawing=_picture(drawn, operations),
        operations=operations[:MOST_LISTED],
        by={level: at for at, names in enumerate(drawn["levels"]) for level in names},
        chosen=chosen,
        items=_items(where, chosen) if chosen else [],
        progress=api_client.get(f"{where}/progress").data,
        form_actions=_actions(shown),
        awaits=[op["id"] for op in operations if op["detail"] == AWAITS],
        answer=_answer(shown, operations),
        look=appearance.batch_look,
        watch=api_client.question(where, {"items": "false"}),
    )


@pages.page("POST", "/batches/<batch_id>/approve/<operation>", scope="runs:write")
def approve(batch_id: str, operation: str) -> ResponseReturnValue:
    """Let an operation begin that waits for an approval."""
    api_client.post(
        f"{_one(batch_id)}/operations/{quote(operation, safe='')}/approve", key=request.form.get("key")
    )
    return redirect(f"{ROOT}/batches/{batch_id}", 303)


@pages.page("GET", "/batches/<batch_id>/rollback", scope="runs:write")
def ask_rollback(batch_id: str) -> ResponseReturnValue:
    """What a rollback would undo; nothing is changed."""
    return _rollback(batch_id, request.args)


@pages.page("POST", "/batches/<batch_id>/rollback", scope="runs:write")
def rollback(batch_id: str) -> ResponseReturnValue:
    """Undo it."""
    body = {**_wanted(request.form), "dry_run": False}
    try:
        api_client.post(f"{_one(batch_id)}/rollback", body, key=request.form.get("key"))
    except Refused as error:
        return _rollback(batch_id, request.form, error)
    return redirect(f"{ROOT}/batches/{batch_id}", 303)


def awaiting() -> list[tuple[Object, str]]:
    """Open batches, of the newest few, with each operation that waits for an approval."""
    found = [
        api_client.get(_one(one["workflow_id"]), items="false").data
        for status in OPEN
        for one in api_client.get(PATH, status=status, limit=MOST_AWAITING).data
    ]
    return [(one, op["id"]) for one in found for op in one["operations"] if op["detail"] == AWAITS]


def _rollback(batch_id: str, given: Mapping[str, str], error: Refused | None = None) -> ResponseReturnValue:
    shown = api_client.get(_one(batch_id), items="false").data
    found, refused = None, error
    try:
        found = api_client.post(f"{_one(batch_id)}/rollback", {**_wanted(given), "dry_run": True}).data
    except Refused as why:
        refused = refused or why
    text = render(
        "rollback.html",
        title=f"Roll back {shown['name']}",
        one=shown,
        undone=found["operations"] if found else None,
        given=given,
        error=refused,
        key=form_key(),
    )
    return make_response(text, error.status if error else 200)


def _wanted(given: Mapping[str, str]) -> Object:
    """The part of a batch that the form selects."""
    operations = given.get("operations", "").replace(",", " ").split()
    checkpoint = given.get("checkpoint_id", "")
    return {
        **({"checkpoint_id": checkpoint} if checkpoint else {}),
        **({"operations": operations} if operations else {}),
        **({"force": True} if given.get("force") else {}),
    }


def _form(given: Mapping[str, str], *, plan: Object | None = None, error: Refused | None = None) -> str:
    return render("batch_new.html", title="New batch", given=given, plan=plan, error=error, key=form_key())


def _definition(text: str) -> Object:
    """The definition as a member of the request: a value if the text is JSON, else a program in Nickel."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {"nickel": text}
    inner = value.get("batch_workflow", value) if isinstance(value, dict) else value
    return {"batch_workflow": inner}


def _one(batch_id: str) -> str:
    return f"{PATH}/{quote(batch_id, safe='')}"


def _picture(drawn: Object, operations: list[Object]) -> graph.Drawing:
    states = {op["id"]: op for op in operations}
    nodes = [
        {
            **node,
            "label": node["id"],
            "sub": node["provider"],
            "detail": states[node["id"]]["detail"],
            "href": address(operation=node["id"]),
        }
        for node in drawn["nodes"]
    ]
    edges = [(edge["from"], edge["to"], edge["type"]) for edge in drawn["edges"] if not edge["absent"]]
    return graph.layout(nodes, edges, drawn["levels"])


def _chosen(operations: list[Object]) -> Object | None:
    """The operation in the inspector: the chosen one, else the most important one."""
    wanted = request.args.get("operation")
    for states in ((), ("Failed", "RollbackFailed"), ("Running", "Retrying", "RollingBack")):
        for operation in operations:
            if operation["id"] == wanted or (not wanted and operation["status"] in states):
                return operation
    return operations[0] if operations and not wanted else None


def _items(where: str, operation: Object) -> list[Object]:
    try:
        name = quote(operation["id"], safe="")
        return list(api_client.get(f"{where}/operations/{name}", limit=PAGE).data)
    except Rejected:
        return []  # It is not a part of this batch: it was left out with `only`.


def _actions(shown: Object) -> list[tuple[str, str]]:
    """The actions that are possible now: the page of each, and the label of its button."""
    named = ACTIONS.get(shown["status"], ())
    if shown["detail"] == "paused":
        named = ("resume", *(name for name in named if name != "pause"))
    found = [(f"do/batch-{name}/{shown['workflow_id']}", f"{name.capitalize()}…") for name in named]
    can_undo = shown["status"] not in (*OPEN, "RollingBack", "RolledBack")
    return [*found, (f"batches/{shown['workflow_id']}/rollback", "Roll back…")] if can_undo else found


def _answer(shown: Object, operations: list[Object]) -> tuple[str, str]:
    """The state of the batch in a sentence, and the colour of it."""
    waits = [op["id"] for op in operations if op["detail"] == AWAITS]
    failed = [op["id"] for op in operations if op["status"] in ("Failed", "RollbackFailed")]
    if shown["detail"] == "paused":
        return "hold", "Paused: nothing begins until somebody resumes it."
    if waits and shown["status"] in OPEN:
        return "hold", f"Waits for an approval of {', '.join(waits[:3])}."
    if shown["error"]:
        of = f" at {shown['error']['operation']}" if shown["error"].get("operation") else ""
        return "fail", f"{appearance.batch_look(shown).word}{of}: {shown['error']['message']}"
    if failed:
        return "fail", f"Failed: {', '.join(failed[:3])}{' and more' if len(failed) > 3 else ''}."
    return "", ""


def _whole(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 8 else 0
