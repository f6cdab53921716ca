"""The page of a form_action: GET shows its form, POST does it or its dry run."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import quote

from flask import current_app, make_response, redirect, request
from flask.typing import ResponseReturnValue

from app.api.http import openapi
from app.api.http.context import principal
from app.auth.keys import require
from app.console import api_client, forms
from app.console.api_client import Refused
from app.console.family import ROOT, pages
from app.console.form_actions import FIXED, FORM_ACTIONS, FormAction
from app.console.render import form_key, render
from app.domain.errors import NotFound

Object = dict[str, Any]
RUN_VERBS = "resume,compensate,skip,resolve,pause,unpause,acknowledge,cancel,signal"
RUN_ACTION = f"/runs/<run_id>/<any({RUN_VERBS}):verb>"


@pages.page("GET", "/do/<name>", "/do/<name>/<path:id_>", scope="runs:read")
def ask_form_action(name: str, id_: str = "") -> str:
    """The form of a form_action."""
    form_action = _form_action(name, id_)
    return _form(name, form_action, id_, _given(form_action))


@pages.page("POST", "/do/<name>", "/do/<name>/<path:id_>", scope="runs:read")
def do_form_action(name: str, id_: str = "") -> ResponseReturnValue:
    """Do the action or its dry run; a refusal shows the form again, with what is wrong."""
    form_action = _form_action(name, id_)
    body, wrong = _body(form_action)
    if not wrong and form_action.sure and request.form.get("sure", "").strip() != _called(form_action, id_):
        wrong = {"sure": f"Type {_called(form_action, id_)}"}
    if wrong:
        return make_response(_form(name, form_action, id_, body, wrong=wrong), 400)
    try:
        if form_action.plans and "plan" in request.form:
            plan = _request(form_action, id_, body, dry=True).data
            return make_response(_form(name, form_action, id_, body, plan=plan))
        answer = _request(form_action, id_, body)
    except Refused as error:
        return make_response(
            _form(name, form_action, id_, body, wrong=_short(error.fields), error=error), error.status
        )
    if form_action.once:
        return make_response(
            render("once.html", title=form_action.button, made=answer.data, after=form_action.after)
        )
    return redirect(ROOT + _after(form_action, id_, answer), 303)


@pages.page("GET", RUN_ACTION, scope="runs:write")
def ask_run(run_id: str, verb: str) -> str:
    """The form of an action on a run."""
    return ask_form_action(f"run-{verb}", run_id)


@pages.page("POST", RUN_ACTION, scope="runs:write")
def do_run(run_id: str, verb: str) -> ResponseReturnValue:
    """Do it."""
    return do_form_action(f"run-{verb}", run_id)


def schema_of(name: str) -> Object:
    """A schema of the OpenAPI document, with the schemas that it refers to."""
    return dict(_resolved(_schemas()[name]))


def asked(form_action: FormAction) -> Object:
    """The part of a body's schema that a form_action asks for."""
    if not form_action.body:
        return {"properties": {}}
    schema = schema_of(form_action.body)
    known: Object = schema["properties"]
    names = form_action.asks or tuple(name for name in known if name not in FIXED)
    shown = {name: known[name] for name in names if name in known and name not in form_action.says}
    return {"properties": shown, "required": [n for n in schema.get("required", ()) if n in shown]}


def _form(
    name: str,
    form_action: FormAction,
    id_: str,
    value: Mapping[str, object],
    *,
    wrong: Mapping[str, str] | None = None,
    error: Refused | None = None,
    plan: Object | None = None,
) -> str:
    found = _resource(form_action, id_)
    return render(
        "do.html",
        title=form_action.title.format(name=_named(found, id_)),
        form_action=form_action,
        name=name,
        id=id_,
        action=request.path,
        fields=forms.fields(asked(form_action), value, wrong),
        wrong=wrong or {},
        error=error,
        plan=plan,
        sure=_named(found, id_) if form_action.sure else "",
        version=request.form.get("version") if error is None else None,
        current=_version(form_action, id_),
        key=request.form.get("key") if error is None and request.form.get("key") else form_key(),
        query=form_action.query,
    )


def _request(form_action: FormAction, id_: str, body: Object, *, dry: bool = False) -> api_client.Answer:
    flags = {flag: "true" for flag in form_action.query if request.form.get(f"flag.{flag}")}
    return api_client.request(
        form_action.method,
        form_action.path.format(id=quote(id_, safe=""))
        if "locks" not in form_action.path
        else form_action.path.format(id=id_),
        query={**flags, **({"dryRun": "true"} if dry else {})},
        body=body if form_action.body or form_action.method == "POST" else None,
        key=request.form.get("key") if form_action.method == "POST" and not dry else None,
        version=request.form.get("version") or None,
    )


def _body(form_action: FormAction) -> tuple[Object, dict[str, str]]:
    value, wrong = forms.parse(asked(form_action), request.form)
    return {**value, **form_action.says}, wrong


def _given(form_action: FormAction) -> Object:
    """The values of the form's fields that the query has."""
    value, _ = forms.parse(asked(form_action), request.args)
    return value if isinstance(value, dict) else {}


def _form_action(name: str, id_: str) -> FormAction:
    form_action = FORM_ACTIONS.get(name)
    if form_action is None:
        raise NotFound(f"There is nothing to do called {name}.")
    if "{id}" in form_action.path and not id_:
        raise NotFound(f"{name} needs the id of what it is done to: {ROOT}/do/{name}/ID.")
    require(principal(), form_action.scope)
    return form_action


def _resource(form_action: FormAction, id_: str) -> Object | None:
    if not form_action.reads or not id_:
        return None
    answer = api_client.get(form_action.reads.format(id=quote(id_, safe="")))
    return {**answer.data, "version": answer.version}


def _version(form_action: FormAction, id_: str) -> str | None:
    found = _resource(form_action, id_)
    return found["version"] if found else None


def _named(found: Object | None, id_: str) -> str:
    """The display name of a resource, else its id."""
    if found is None:
        return id_
    if "triggeredBy" in found and "status" in found:
        of = found.get("resourceName")
        return f"{found['type']} on {of}" if of else str(found["type"])
    return str(found.get("displayName") or found.get("name") or found.get("url") or id_)


def _called(form_action: FormAction, id_: str) -> str:
    return _named(_resource(form_action, id_), id_)


def _after(form_action: FormAction, id_: str, answer: api_client.Answer) -> str:
    run = answer.run or (answer.data or {}).get("runId") or ""
    return form_action.after.format(id=id_, run=run) if run or "{run}" not in form_action.after else "/runs"


def _short(wrong: Mapping[str, str]) -> dict[str, str]:
    return {name.removeprefix("body."): problem for name, problem in wrong.items()}


@cache
def _schemas() -> Object:
    document = json.loads(json.dumps(openapi.document(current_app)))
    return dict(document["components"]["schemas"])


def _resolved(schema: object, depth: int = 0) -> Any:
    if isinstance(schema, list):
        return [_resolved(each, depth) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema and depth < 8:
        return _resolved(_schemas()[schema["$ref"].rpartition("/")[2]], depth + 1)
    return {name: _resolved(inner, depth) for name, inner in schema.items()}
