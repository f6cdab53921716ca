"""Retry: which step a new run begins at, what that keeps, repeats and undoes, and with which input."""

from collections.abc import Mapping
from typing import Any

from flask import make_response, redirect, request
from flask.typing import ResponseReturnValue

from app.console import api_client, forms
from app.console.api_client import Refused
from app.console.difference import differences
from app.console.family import ROOT, pages
from app.console.render import form_key, render
from app.domain.errors import Rejected
from app.domain.restart import begin_at

RUN = "/v1/workflows/runs/{}"
Object = dict[str, Any]


@pages.page("GET", "/runs/<run_id>/retry", scope="runs:write")
def ask_retry(run_id: str) -> ResponseReturnValue:
    """The form with the plan of the chosen first step; nothing is stored."""
    return _form(run_id, request.args, None)


@pages.page("POST", "/runs/<run_id>/retry", scope="runs:write")
def retry(run_id: str) -> ResponseReturnValue:
    """Start the new run."""
    body, wrong = _body(run_id, request.form)
    if wrong:
        return _form(run_id, request.form, None, wrong)
    try:
        answer = api_client.post(
            f"{RUN.format(run_id)}/retry",
            body,
            key=request.form.get("key"),
            version=request.form.get("version") or None,
        )
    except Refused as error:
        return _form(run_id, request.form, error, _short(error))
    return redirect(f"{ROOT}/runs/{answer.data['id']}", 303)


def starts(steps: list[Object]) -> list[tuple[Object, str]]:
    """The steps with the reason why a run cannot begin there, empty where it can."""
    main = [step for step in steps if not step.get("branch")]
    keys = [step["name"] for step in main]
    gone = {
        s["name"]
        for s in main
        if s["detail"] not in ("completed", "skipped", "resolved") or "compensatedAt" in s
    }
    return [(step, _reason(step["name"], keys, gone)) for step in main]


def _reason(key: str, keys: list[str], gone: set[str]) -> str:
    try:
        begin_at(key, keys, gone)
    except Rejected as error:
        return error.message
    return ""


def _form(
    run_id: str, given: Mapping[str, str], error: Refused | None, wrong: Mapping[str, str] | None = None
) -> ResponseReturnValue:
    found = api_client.get(RUN.format(run_id))
    run: Object = found.data
    schema = _schema(run["type"])
    value = forms.parse(schema, given)[0] if "reason" in given and schema else None
    value = _asked(run, schema or {}) if value is None else value
    offered = starts(run["steps"])
    begin = given.get("from") or _begin(run, offered)
    plan, refused = _plan(run_id, begin)
    text = render(
        "retry.html",
        title=_title(run),
        run=run,
        offered=[(step, reason, _said(step["name"], begin, plan)) for step, reason in offered],
        begin=begin,
        plan=plan,
        error=error or refused,
        fields=forms.fields(schema, value, wrong) if schema else [],
        changes=differences(_asked(run, schema), value) if schema else [],
        reason=given.get("reason", ""),
        version=given.get("version") if error is None and given.get("version") else found.version,
        key=given.get("key") if error is None and given.get("key") else form_key(),
    )
    return make_response(text, error.status if error else 400 if wrong else 200)


def _asked(run: Object, schema: Object) -> Object:
    """The part of the old input that the form asks for."""
    return {name: value for name, value in run["input"].items() if name in (schema.get("properties") or {})}


def _title(run: Object) -> str:
    of = f" on {run['resourceName']}" if run["resourceName"] else ""
    return f"Retry {run['type']}{of}"


def _begin(run: Object, offered: list[tuple[Object, str]]) -> str:
    """Where a retry most likely begins: where the API says, at the failed step, or the first possible."""
    error = run.get("error") or {}
    possible = [step["name"] for step, reason in offered if not reason]
    for wanted in (error.get("retryFrom"), error.get("step")):
        if wanted in possible:
            return str(wanted)
    return possible[0] if possible else ""


def _plan(run_id: str, begin: str) -> tuple[Object | None, Refused | None]:
    body = {"fromStep": begin} if begin else {}
    try:
        return api_client.post(f"{RUN.format(run_id)}/retry", body, query={"dryRun": "true"}).data, None
    except Refused as error:
        return None, error


def _said(key: str, begin: str, plan: Object | None) -> str:
    """What becomes of a step."""
    if plan is None:
        return ""
    again = "starts here" if key == begin else "runs again" if key in plan["runsAgain"] else ""
    said = [again or ("kept" if key in plan["kept"] else "runs")]
    if key in plan["wasUndone"]:
        said.append("was undone")
    if key in plan["repeatsEffect"]:
        said.append(f"repeats its effect: {key.replace('-', ' ')} once more")
    return "; ".join(said)


def _schema(type_: str) -> Object | None:
    try:
        return dict(api_client.get(f"/v1/workflows/types/{type_}").data["inputSchema"])
    except Refused:
        return None  # A code workflow, or a type of another release.


def _body(run_id: str, given: Mapping[str, str]) -> tuple[Object, dict[str, str]]:
    run: Object = api_client.get(RUN.format(run_id)).data
    schema = _schema(run["type"])
    value, wrong = forms.parse(schema, given) if schema else ({}, {})
    body: Object = {"reason": given.get("reason", "").strip() or None, "fromStep": given.get("from") or None}
    # What the type does not ask for stands as it was.
    if schema and value != _asked(run, schema):
        body["input"] = {**_asked(run, schema), **value}
    return {name: one for name, one in body.items() if one is not None}, wrong


def _short(error: Refused) -> dict[str, str]:
    return {name.removeprefix("input."): problem for name, problem in error.fields.items()}
