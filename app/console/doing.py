"""The page of a deed: GET shows its form, POST does it or tries it; with scripts it opens in a dialog."""

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
from app.console import ask, forms
from app.console.ask import Refused
from app.console.deeds import DEEDS, FIXED, Deed
from app.console.family import ROOT, pages
from app.console.render import form_key, render
from app.domain.errors import NotFound

Object = dict[str, Any]
RUN_VERBS = "resume,compensate,skip,resolve,pause,unpause,acknowledge,cancel,signal"
RUN_DEED = f"/runs/<run_id>/<any({RUN_VERBS}):verb>"


@pages.page("GET", "/do/<name>", "/do/<name>/<path:id_>", scope="runs:read")
def ask_deed(name: str, id_: str = "") -> str:
    """The form of a deed."""
    deed = _deed(name, id_)
    return _form(name, deed, id_, _given(deed))


@pages.page("POST", "/do/<name>", "/do/<name>/<path:id_>", scope="runs:read")
def do_deed(name: str, id_: str = "") -> ResponseReturnValue:
    """Do it, or try it where that is possible; what is refused comes back with the form."""
    deed = _deed(name, id_)
    body, wrong = _body(deed)
    if not wrong and deed.sure and request.form.get("sure", "").strip() != _called(deed, id_):
        wrong = {"sure": f"Type {_called(deed, id_)}"}
    if wrong:
        return make_response(_form(name, deed, id_, body, wrong=wrong), 400)
    try:
        if deed.plans and "plan" in request.form:
            plan = _request(deed, id_, body, dry=True).data
            return make_response(_form(name, deed, id_, body, plan=plan))
        answer = _request(deed, id_, body)
    except Refused as error:
        return make_response(
            _form(name, deed, id_, body, wrong=_short(error.fields), error=error), error.status
        )
    if deed.once:
        return make_response(render("once.html", title=deed.button, made=answer.data, after=deed.after))
    return redirect(ROOT + _after(deed, id_, answer), 303)


@pages.page("GET", RUN_DEED, scope="runs:write")
def ask_run(run_id: str, verb: str) -> str:
    """The form of an action on a run."""
    return ask_deed(f"run-{verb}", run_id)


@pages.page("POST", RUN_DEED, scope="runs:write")
def do_run(run_id: str, verb: str) -> ResponseReturnValue:
    """Do it."""
    return do_deed(f"run-{verb}", run_id)


def schema_of(name: str) -> Object:
    """A schema of the API's document, with the schemas that it names."""
    return dict(_resolved(_schemas()[name]))


def asked(deed: Deed) -> Object:
    """The part of a body's schema that a deed asks for."""
    if not deed.body:
        return {"properties": {}}
    schema = schema_of(deed.body)
    known: Object = schema["properties"]
    names = deed.asks or tuple(name for name in known if name not in FIXED)
    shown = {name: known[name] for name in names if name in known and name not in deed.says}
    return {"properties": shown, "required": [n for n in schema.get("required", ()) if n in shown]}


def _form(
    name: str,
    deed: Deed,
    id_: str,
    value: Mapping[str, object],
    *,
    wrong: Mapping[str, str] | None = None,
    error: Refused | None = None,
    plan: Object | None = None,
) -> str:
    found = _resource(deed, id_)
    return render(
        "do.html",
        title=deed.title.format(name=_named(found, id_)),
        deed=deed,
        name=name,
        id=id_,
        action=request.path,
        fields=forms.fields(asked(deed), value, wrong),
        wrong=wrong or {},
        error=error,
        plan=plan,
        sure=_named(found, id_) if deed.sure else "",
        version=request.form.get("version") if error is None else None,
        current=_version(deed, id_),
        key=request.form.get("key") if error is None and request.form.get("key") else form_key(),
        query=deed.query,
    )


def _request(deed: Deed, id_: str, body: Object, *, dry: bool = False) -> ask.Answer:
    flags = {flag: "true" for flag in deed.query if request.form.get(f"flag.{flag}")}
    return ask.request(
        deed.method,
        deed.path.format(id=quote(id_, safe="")) if "locks" not in deed.path else deed.path.format(id=id_),
        query={**flags, **({"dryRun": "true"} if dry else {})},
        body=body if deed.body or deed.method == "POST" else None,
        key=request.form.get("key") if deed.method == "POST" and not dry else None,
        version=request.form.get("version") or None,
    )


def _body(deed: Deed) -> tuple[Object, dict[str, str]]:
    value, wrong = forms.parse(asked(deed), request.form)
    return {**value, **deed.says}, wrong


def _given(deed: Deed) -> Object:
    """What the address says already."""
    value, _ = forms.parse(asked(deed), request.args)
    return value if isinstance(value, dict) else {}


def _deed(name: str, id_: str) -> Deed:
    deed = DEEDS.get(name)
    if deed is None:
        raise NotFound(f"There is nothing to do called {name}.")
    if "{id}" in deed.path and not id_:
        raise NotFound(f"{name} needs the id of what it is done to: {ROOT}/do/{name}/ID.")
    require(principal(), deed.scope)
    return deed


def _resource(deed: Deed, id_: str) -> Object | None:
    if not deed.reads or not id_:
        return None
    answer = ask.get(deed.reads.format(id=quote(id_, safe="")))
    return {**answer.data, "version": answer.version}


def _version(deed: Deed, id_: str) -> str | None:
    found = _resource(deed, id_)
    return found["version"] if found else None


def _named(found: Object | None, id_: str) -> str:
    """What people call it."""
    if found is None:
        return id_
    if "triggeredBy" in found and "status" in found:
        of = found.get("resourceName")
        return f"{found['type']} on {of}" if of else str(found["type"])
    return str(found.get("displayName") or found.get("name") or found.get("url") or id_)


def _called(deed: Deed, id_: str) -> str:
    return _named(_resource(deed, id_), id_)


def _after(deed: Deed, id_: str, answer: ask.Answer) -> str:
    run = answer.run or (answer.data or {}).get("runId") or ""
    return deed.after.format(id=id_, run=run) if run or "{run}" not in deed.after else "/runs"


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
