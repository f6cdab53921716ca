"""Applications of the Workflow DevKit: their runs, queues and dead letters.

The name of an application may be ``@scope/name``, so it is a parameter of the query and not part of the path.
"""

from typing import Any
from urllib.parse import quote, urlencode

from flask import make_response, redirect, request
from flask.typing import ResponseReturnValue

from app.console import api_client, appearance, timeline
from app.console.api_client import Refused
from app.console.family import ROOT, pages
from app.console.render import now_ms, render
from app.console.segments import Track
from app.console.spans import parse
from app.domain.errors import NotFound, ValidationFailed

APPS = "/api/v1/apps"
PAGE = 50
MOST = 1_000  # Steps and events of a run on its page.
STATUSES = ("pending", "running", "completed", "failed", "cancelled", "expired")
# The actions on a run, with a sentence that says what happens.
VERBS = {
    "cancel": "It ends now. Steps that are at work in the application are told nothing.",
    "replay": "A new run begins with the same input.",
    "wake-up": "Its sleeps end now, and it goes on.",
}
Object = dict[str, Any]


@pages.page("GET", "/apps", scope="admin")
def apps() -> str:
    """All applications with the numbers of their open runs and messages."""
    names = [one["appId"] for one in api_client.of_apps("GET", APPS).data["data"]]
    return render("apps.html", title="Apps", rows=[_brief(name) for name in names[:PAGE]], total=len(names))


@pages.page("GET", "/apps/one", scope="admin")
def app() -> str:
    """One application: runs, the queue, dead letters, versions, handlers."""
    name = _app()
    asked = {one: request.args.get(one, "").strip() for one in ("status", "workflowName", "deploymentId")}
    found = _of(name, "/runs", resolveData="none", limit=PAGE, cursor=request.args.get("cursor"), **asked)
    return render(
        "app.html",
        title=name,
        app=name,
        short=_short,
        one=api_client.of_apps("GET", _path(name)).data,
        rows=found["data"],
        older=found["cursor"] if found["hasMore"] else "",
        asked=asked,
        statuses=STATUSES,
        watch=_path(name),
        queue=_of(name, "/messages", limit=PAGE),
        dead=_of(name, "/dead-letters", limit=PAGE),
    )


@pages.page("GET", "/apps/run", scope="admin")
def app_run() -> str:
    """One run of an application: its timeline, log, hooks and queued messages."""
    name, run_id = _app(), _run_id()
    where = f"/runs/{quote(run_id, safe='')}"
    shown = _of(name, where)
    shown = shown.get("data") or shown
    steps = _of(name, f"{where}/steps", limit=MOST, resolveData="none")["data"]
    chosen = request.args.get("step")
    return render(
        "app_run.html",
        title=_short(shown["workflowName"]),
        short=_short,
        app=name,
        run=shown,
        steps=steps,
        step=_step(name, where, chosen) if chosen else None,
        events=_of(name, f"{where}/events", limit=MOST, resolveData="none")["data"],
        hooks=_of(name, "/hooks", runId=run_id)["data"],
        queue=_of(name, "/messages", runId=run_id, limit=PAGE)["data"],
        picture=timeline.of_tracks(_tracks(steps), parse(shown["createdAt"]) or now_ms()),
        open=shown["status"] in ("pending", "running"),
        ended_look=appearance.run_look(shown["status"]),
        watch=f"{_path(name)}{where}",
    )


@pages.page("GET", "/apps/run/<any(cancel,replay,'wake-up'):verb>", scope="admin")
def ask_app_run(verb: str) -> str:
    """The form that asks for confirmation."""
    return _form(verb, None)


@pages.page("POST", "/apps/run/<any(cancel,replay,'wake-up'):verb>", scope="admin")
def do_app_run(verb: str) -> ResponseReturnValue:
    """Do it."""
    name, run_id = _app(), _run_id()
    try:
        answer = api_client.of_apps("POST", f"{_path(name)}/runs/{quote(run_id, safe='')}/{verb}")
    except Refused as error:
        return make_response(_form(verb, error), error.status)
    return redirect(_page(name, answer.data.get("runId") or run_id), 303)


@pages.page("POST", "/apps/dead-letters/retry", scope="admin")
def retry_dead_letter() -> ResponseReturnValue:
    """Make a dead letter due again."""
    name, message = _app(), request.form.get("message", "")
    api_client.of_apps("POST", f"{_path(name)}/dead-letters/{quote(message, safe='')}/retry")
    return redirect(f"{ROOT}/apps/one?{urlencode({'app': name})}", 303)


def _form(verb: str, error: Refused | None) -> str:
    name, run_id = _app(), _run_id()
    title = f"{verb.replace('-', ' ').capitalize()} {run_id}"
    return render(
        "app_do.html",
        title=title,
        verb=verb,
        about=VERBS[verb],
        app=name,
        run_id=run_id,
        back=_page(name, run_id),
        error=error,
    )


def _brief(name: str) -> Object:
    running = _of(name, "/runs", resolveData="none", status="pending,running", limit=PAGE)
    dead = _of(name, "/dead-letters", limit=PAGE)
    return {
        "name": name,
        "running": len(running["data"]),
        "moreRunning": running["hasMore"],
        "dead": len(dead["data"]),
        "moreDead": dead["hasMore"],
    }


def _step(name: str, where: str, key: str) -> Object:
    shown = _of(name, f"{where}/steps/{quote(key, safe='')}")
    return dict(shown.get("data") or shown)


def _tracks(steps: list[Object]) -> list[Track]:
    """The steps as tracks: in the queue until the first start, then at work."""
    return [_track(step) for step in steps]


def _track(step: Object) -> Track:
    now = now_ms()
    made, began = parse(step["createdAt"]) or now, parse(step.get("startedAt"))
    ended = parse(step.get("completedAt"))
    track = Track(
        key=step["stepId"], phase="forward", label=_short(step["stepName"]), state=_detail(step["status"])
    )
    track.open("queue", made, "in the queue")
    if began is not None:
        track.open("work", began, f"attempt {step['attempt']}")
    if ended is None and track.state == "running" and began is not None:
        track.close(now, "run", live=True)
    else:
        track.close(ended or now, "fail" if step["status"] == "failed" else "", live=ended is None)
    return track


def _short(name: str) -> str:
    """The function of a workflow, a step or a queue; the DevKit writes the file before it."""
    return name.rpartition("//")[2] or name


def _detail(status: str) -> str:
    return {"created": "pending", "expired": "cancelled"}.get(status, status)


def _of(name: str, path: str, **query: Any) -> Object:
    return dict(api_client.of_apps("GET", f"{_path(name)}{path}", **query).data)


def _path(name: str) -> str:
    return f"{APPS}/{quote(name, safe='')}"


def _page(name: str, run_id: str) -> str:
    return f"{ROOT}/apps/run?{urlencode({'app': name, 'run': run_id})}"


def _app() -> str:
    name = request.values.get("app", "")
    if not name:
        raise ValidationFailed.of("app", "Name an application")
    return name


def _run_id() -> str:
    run_id = request.values.get("run", "")
    if not run_id or "/" in run_id:
        raise NotFound(f"There is no run {run_id}.")
    return run_id
