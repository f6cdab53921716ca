"""`windlass app`: applications of the Workflow DevKit and their runs, straight on the database.

Every verb but those of administration is a request to the door of apps, which is made in this process: it
gives the very answers that an app gets, whoever else may reach the door, and needs no token.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import click

from app.cli import app_columns, output
from app.cli.context import Caller, Noun, pass_caller
from app.cli.direct import world
from app.domain import errors
from app.domain.apps.refusal import Refused
from app.domain.clock import rfc3339
from app.services.context import AppContext

T = TypeVar("T")
of_app = click.argument("app_id", metavar="APP")
STATUSES = ("pending", "running", "completed", "failed", "cancelled", "expired")
HANDLER = ("pod", "version", "workflow_url", "step_url", "webhook_url", "service_scoped")
KINDS: dict[int, type[errors.WindlassError]] = {
    400: errors.ValidationFailed,
    404: errors.NotFound,
    409: errors.Conflict,
    429: errors.RateLimited,
    503: errors.Unavailable,
}


@click.group(cls=Noun)
def app() -> None:
    """Applications of the Workflow DevKit and their runs."""


@app.group(cls=Noun)
def version() -> None:
    """Versions that applications are deployed in."""


@app.group(cls=Noun)
def handler() -> None:
    """Where messages of applications are delivered."""


@app.group(cls=Noun)
def run() -> None:
    """Runs of applications."""


@app.group(cls=Noun)
def message() -> None:
    """Messages that are still to be delivered."""


@app.group("dead-letter", cls=Noun)
def dead_letter() -> None:
    """Messages that could not be delivered."""


@app.command("list")
@pass_caller
def list_(caller: Caller) -> None:
    """List applications."""
    caller.show(_ask("GET", "/api/v1/apps")["data"], app_columns.APPS)


@app.command()
@of_app
@pass_caller
def create(caller: Caller, app_id: str) -> None:
    """Make an application."""
    caller.show(_ask("POST", "/api/v1/apps", {"appId": app_id}), app_columns.APP)


@app.command()
@of_app
@pass_caller
def show(caller: Caller, app_id: str) -> None:
    """Show an application: quotas, who speaks for it, its versions."""
    from app.services.apps import applications

    caller.resource = f"application {app_id}"
    shown = _done(lambda there: applications.show(there, app_id))
    dated = {**shown, "createdAt": rfc3339(shown["createdAt"])}
    dated["versions"] = [{"version": one["version"], "status": one["status"]} for one in shown["versions"]]
    caller.show(dated, app_columns.APP)


def _speaker(undo: bool) -> Any:
    def change(
        caller: Caller, app_id: str, key: str | None, namespace: str | None, account: str | None
    ) -> None:
        from app.services.apps import applications

        if (key is None) == (namespace is None or account is None):
            raise click.UsageError("name either --key, or --namespace and --account")
        caller.resource = f"application {app_id}"
        if key is not None:
            _done(lambda there: applications.bind_key(there, app_id, key, undo=undo))
        else:
            _done(lambda there: applications.bind(there, app_id, namespace, account, undo=undo))
        speaker = f"The key {key}" if key else f"{namespace}:{account}"
        output.say(f"{speaker} {'no longer speaks' if undo else 'speaks'} for {app_id}.")

    for option in (
        click.option("--account", help="A service account of Kubernetes."),
        click.option("--namespace", help="Its namespace."),
        click.option("--key", help="The name of an API key."),
    ):
        change = option(change)
    return pass_caller(of_app(change))


app.command("bind", help="Let an API key or a service account speak for an application.")(_speaker(False))
app.command("unbind", help="Let it no longer.")(_speaker(True))


@app.command()
@of_app
@click.option("--max-runs", type=click.IntRange(0), help="Open runs.")
@click.option("--max-events-per-run", type=click.IntRange(0), help="Events of a run.")
@click.option("--max-queue-per-minute", type=click.IntRange(0), help="Messages a minute and process.")
@pass_caller
def quota(
    caller: Caller,
    app_id: str,
    max_runs: int | None,
    max_events_per_run: int | None,
    max_queue_per_minute: int | None,
) -> None:
    """Show the quotas of an application, or set them: what is not named goes back to its default."""
    caller.resource = f"application {app_id}"
    given = {"maxRuns": max_runs, "maxEventsPerRun": max_events_per_run}
    given["maxQueuePerMinute"] = max_queue_per_minute
    wanted = {name: value for name, value in given.items() if value is not None}
    caller.show(_of(app_id, "PUT" if wanted else "GET", "/quotas", wanted or None), app_columns.APP_QUOTAS)


@app.command()
@of_app
@click.option("--generate", is_flag=True, help="Give it a new secret.")
@click.option("--remove", is_flag=True, help="Take its secret away.")
@pass_caller
def encryption(caller: Caller, app_id: str, generate: bool, remove: bool) -> None:
    """Have the payloads of an application's later runs encrypted by its clients."""
    from app.services.apps import applications
    from app.services.apps import encryption as service

    caller.resource = f"application {app_id}"
    if generate == remove:
        raise click.UsageError("say either --generate or --remove")
    if _done(lambda there: applications.show(there, app_id))["encrypted"]:
        caller.confirm(f"{app_id} has a secret: runs that began with it can be read no more. Go on?")
    change = service.generate if generate else service.remove
    _done(lambda there: change(there, app_id))
    output.say(f"Runs of {app_id} that begin now are {'' if generate else 'not '}encrypted.")


@version.command("list")
@of_app
@pass_caller
def versions(caller: Caller, app_id: str) -> None:
    """List the versions that were announced."""
    from app.services.apps import applications

    caller.resource = f"application {app_id}"
    caller.show(_done(lambda there: applications.show(there, app_id))["versions"], app_columns.APP_VERSIONS)


@version.command()
@of_app
@click.argument("deployment", metavar="VERSION")
@click.argument("status", type=click.Choice(("active", "draining", "expired")))
@pass_caller
def notify(caller: Caller, app_id: str, deployment: str, status: str) -> None:
    """Note where a version stands."""
    note = {"applicationId": app_id, "deploymentVersion": deployment, "status": status}
    _ask("POST", "/api/v1/versions/notify", note)
    output.say(f"Version {deployment} of {app_id} is {status}.")


@version.command()
@of_app
@click.argument("deployment", metavar="VERSION")
@pass_caller
def expire(caller: Caller, app_id: str, deployment: str) -> None:
    """Cancel all runs of a version, forget its handlers and bury its messages."""
    path = f"/versions/{quote(deployment, safe='')}"
    at_work = _of(app_id, "GET", f"{path}/status")
    caller.confirm(f"Version {deployment} of {app_id} has {at_work['activeRuns']} open runs. Cancel them?")
    caller.show(_of(app_id, "POST", f"{path}/expire"), app_columns.APP_EXPIRED)


@run.command("list")
@of_app
@click.option("--status", type=click.Choice(STATUSES), multiple=True, help="Repeatable.")
@click.option("--workflow", help="Of this workflow alone.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50)
@pass_caller
def runs(caller: Caller, app_id: str, status: tuple[str, ...], workflow: str | None, limit: int) -> None:
    """List runs, newest first."""
    asked = {"resolveData": "none", "limit": limit, "status": ",".join(status), "workflowName": workflow}
    query = urlencode({name: value for name, value in asked.items() if value})
    caller.show(_of(app_id, "GET", f"/runs?{query}")["data"], app_columns.APP_RUNS)


def every_run(statuses: tuple[str, ...], limit: int) -> list[dict[str, Any]]:
    """The newest runs of all applications, each with its application."""
    wrong = [status for status in statuses if status not in STATUSES]
    if wrong:
        raise click.UsageError(f"--status of apps is one of {', '.join(STATUSES)}, not {', '.join(wrong)}")
    query = urlencode({"resolveData": "none", "limit": limit, "status": ",".join(statuses)})
    found = [
        {"app": one["appId"], **run}
        for one in _ask("GET", "/api/v1/apps")["data"]
        for run in _of(one["appId"], "GET", f"/runs?{query}")["data"]
    ]
    return sorted(found, key=lambda run: str(run["createdAt"]), reverse=True)[:limit]


def _about_run(name: str, method: str, path: str, shown: Any, says: str) -> None:
    """A verb that is one request about a run."""

    @of_app
    @click.argument("run_id", metavar="RUN")
    @pass_caller
    def verb(caller: Caller, app_id: str, run_id: str) -> None:
        caller.resource = f"run {run_id}"
        if name in ("cancel", "replay"):
            caller.confirm(f"{name.capitalize()} {run_id}?")
        found = _of(app_id, method, path.format(quote(run_id, safe="")))
        caller.show(found.get("data", found), shown)

    run.command(name, help=says)(verb)


_about_run("get", "GET", "/runs/{}", app_columns.APP_RUN, "Show one run.")
_about_run("events", "GET", "/runs/{}/events?limit=1000", app_columns.APP_EVENTS, "Show the log of a run.")
_about_run("steps", "GET", "/runs/{}/steps?limit=1000", app_columns.APP_STEPS, "Show the steps of a run.")
_about_run("cancel", "POST", "/runs/{}/cancel", app_columns.APP_RUN, "Cancel an open run.")
_about_run("replay", "POST", "/runs/{}/replay", app_columns.APP_RUN, "Run it again from its start.")
_about_run("wake-up", "POST", "/runs/{}/wake-up", app_columns.APP_WOKEN, "End the sleeps of a run.")


@message.command("list")
@of_app
@click.option("--run", "run_id", help="About this run alone.")
@click.option("--limit", type=click.IntRange(1, 200), default=50)
@pass_caller
def messages(caller: Caller, app_id: str, run_id: str | None, limit: int) -> None:
    """List messages that are still to be delivered, soonest due first."""
    query = urlencode({"limit": limit, **({"runId": run_id} if run_id else {})})
    caller.show(_of(app_id, "GET", f"/messages?{query}")["data"], app_columns.APP_MESSAGES)


@dead_letter.command("list")
@of_app
@click.option("--limit", type=click.IntRange(1, 200), default=50)
@pass_caller
def dead_letters(caller: Caller, app_id: str, limit: int) -> None:
    """List messages that could not be delivered, the newest first."""
    caller.show(_of(app_id, "GET", f"/dead-letters?limit={limit}")["data"], app_columns.APP_DEAD_LETTERS)


@dead_letter.command()
@of_app
@click.argument("message_id", metavar="MESSAGE")
@pass_caller
def retry(caller: Caller, app_id: str, message_id: str) -> None:
    """Deliver a message after all; only one that was given up by a cancel or an expiry."""
    caller.resource = f"message {message_id}"
    _of(app_id, "POST", f"/dead-letters/{quote(message_id, safe='')}/retry")
    output.say(f"{message_id} is delivered again.")


@handler.command("add")
@of_app
@click.argument("deployment", metavar="VERSION")
@click.argument("base_url", metavar="URL")
@click.option("--pod", default="cli", help="Its name; another registration of this name replaces it.")
@pass_caller
def add(caller: Caller, app_id: str, deployment: str, base_url: str, pod: str) -> None:
    """Deliver messages of a version to the app that answers at a base URL."""
    base = f"{base_url.rstrip('/')}/.well-known/workflow/v1"
    endpoints = {"workflow": f"{base}/flow", "step": f"{base}/step", "webhook": f"{base}/webhook"}
    body = {"podId": pod, "deploymentVersion": deployment, "endpoints": endpoints}
    _of(app_id, "POST", "/handlers", body)
    output.say(f"Messages for {deployment} of {app_id} go to {base}/….")


@handler.command("list")
@of_app
@pass_caller
def handlers(caller: Caller, app_id: str) -> None:
    """List where messages go."""
    from app.record.apps import handlers as record
    from app.record.apps.scope import Scope

    there = world()
    rows = there.db.read(lambda tx: record.listed(tx, Scope.of(tx, app_id)))
    caller.show([{name: row[name] for name in HANDLER} for row in rows], app_columns.APP_HANDLERS)


@handler.command()
@of_app
@click.argument("pod")
@pass_caller
def remove(caller: Caller, app_id: str, pod: str) -> None:
    """Deliver nothing to a handler any more."""
    _of(app_id, "DELETE", f"/handlers/{quote(pod, safe='')}")
    output.say(f"{pod} of {app_id} gets no messages any more.")


def _of(app_id: str, method: str, path: str, body: Any = None) -> Any:
    """What the door answers about an application."""
    return _ask(method, f"/api/v1/apps/{quote(app_id, safe='')}{path}", body)


def _ask(method: str, path: str, body: Any = None) -> Any:
    """What the door answers an administrator; raises what stands for its refusal."""
    from app.api.apps.application import create_apps

    there = world()
    # Whoever may read the database administers, and names applications by their paths.
    door = create_apps(replace(there, settings=replace(there.settings, apps_identity="ecs")))
    reply = door.test_client().open(path, method=method, json=body)
    answered = json.loads(reply.get_data())
    if reply.status_code >= 400:
        raise _ours(reply.status_code, str(answered.get("message", answered.get("error", ""))))
    return answered


def _done(work: Callable[[AppContext], T]) -> T:
    """What a use case returns; raises what stands for its refusal."""
    try:
        return work(world())
    except Refused as refused:
        raise _ours(refused.status, refused.message) from refused


def _ours(status: int, message: str) -> errors.WindlassError:
    return KINDS.get(status, errors.WindlassError)(message)
