"""`windlass app`: applications of the Workflow DevKit and their runs.

Every verb is a request to the apps API (`app.cli.apps_api`).
"""

from typing import Any
from urllib.parse import quote, urlencode

import click

from app.cli import app_columns, output
from app.cli.apps_api import ask, of_app
from app.cli.context import Caller, Noun, pass_caller

an_app = click.argument("app_id", metavar="APP")
PAGE = 1000  # As many rows as a door gives at a time.
STATUSES = ("pending", "running", "completed", "failed", "cancelled", "expired")


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
    caller.show(ask(caller, "GET", "/api/v1/apps")["data"], app_columns.APPS)


@app.command()
@an_app
@pass_caller
def create(caller: Caller, app_id: str) -> None:
    """Make an application."""
    caller.show(ask(caller, "POST", "/api/v1/apps", {"appId": app_id}), app_columns.APP)


@app.command()
@an_app
@pass_caller
def show(caller: Caller, app_id: str) -> None:
    """Show an application: quotas, bindings and versions."""
    caller.resource = f"application {app_id}"
    caller.show(of_app(caller, app_id, "GET", ""), app_columns.APP)


def _speaker(undo: bool) -> Any:
    def change(
        caller: Caller, app_id: str, key: str | None, namespace: str | None, account: str | None
    ) -> None:
        if (key is None) == (namespace is None or account is None):
            raise click.UsageError("name either --key, or --namespace and --account")
        caller.resource = f"application {app_id}"
        who = {"key": key} if key is not None else {"namespace": namespace, "serviceAccount": account}
        path = "/key-binding" if key is not None else "/k8s-binding"
        of_app(caller, app_id, "DELETE" if undo else "POST", path, who)
        speaker = f"The key {key}" if key else f"{namespace}:{account}"
        output.say(f"{speaker} {'no longer speaks' if undo else 'speaks'} for {app_id}.")

    for option in (
        click.option("--account", help="A service account of Kubernetes."),
        click.option("--namespace", help="Its namespace."),
        click.option("--key", help="The name of an API key."),
    ):
        change = option(change)
    return pass_caller(an_app(change))


app.command("bind", help="Bind an API key or a service account to an application.")(_speaker(False))
app.command("unbind", help="Remove such a binding.")(_speaker(True))


@app.command()
@an_app
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
    caller.show(
        of_app(caller, app_id, "PUT" if wanted else "GET", "/quotas", wanted or None), app_columns.APP_QUOTAS
    )


@app.command()
@an_app
@click.option("--generate", is_flag=True, help="Give it a new secret.")
@click.option("--remove", is_flag=True, help="Take its secret away.")
@pass_caller
def encryption(caller: Caller, app_id: str, generate: bool, remove: bool) -> None:
    """Have the payloads of an application's later runs encrypted by its clients."""
    caller.resource = f"application {app_id}"
    if generate == remove:
        raise click.UsageError("say either --generate or --remove")
    if of_app(caller, app_id, "GET", "")["encrypted"]:
        caller.confirm(f"{app_id} has a secret: runs that began with it can be read no more. Go on?")
    of_app(caller, app_id, "POST" if generate else "DELETE", "/encryption")
    output.say(f"Runs of {app_id} that begin now are {'' if generate else 'not '}encrypted.")


@version.command("list")
@an_app
@pass_caller
def versions(caller: Caller, app_id: str) -> None:
    """List the versions that were announced."""
    caller.resource = f"application {app_id}"
    caller.show(of_app(caller, app_id, "GET", "")["versions"], app_columns.APP_VERSIONS)


@version.command()
@an_app
@click.argument("deployment", metavar="VERSION")
@click.argument("status", type=click.Choice(("active", "draining", "expired")))
@pass_caller
def notify(caller: Caller, app_id: str, deployment: str, status: str) -> None:
    """Set the status of a version."""
    note = {"applicationId": app_id, "deploymentVersion": deployment, "status": status}
    ask(caller, "POST", "/api/v1/versions/notify", note)
    output.say(f"Version {deployment} of {app_id} is {status}.")


@version.command()
@an_app
@click.argument("deployment", metavar="VERSION")
@pass_caller
def expire(caller: Caller, app_id: str, deployment: str) -> None:
    """Cancel all runs of a version, remove its handlers and stop its messages."""
    path = f"/versions/{quote(deployment, safe='')}"
    at_work = of_app(caller, app_id, "GET", f"{path}/status")
    caller.confirm(f"Version {deployment} of {app_id} has {at_work['activeRuns']} open runs. Cancel them?")
    caller.show(of_app(caller, app_id, "POST", f"{path}/expire"), app_columns.APP_EXPIRED)


@run.command("list")
@an_app
@click.option("--status", type=click.Choice(STATUSES), multiple=True, help="Repeatable.")
@click.option("--workflow", help="Of this workflow alone.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50)
@pass_caller
def runs(caller: Caller, app_id: str, status: tuple[str, ...], workflow: str | None, limit: int) -> None:
    """List runs, newest first."""
    asked = {"resolveData": "none", "limit": limit, "status": ",".join(status), "workflowName": workflow}
    query = urlencode({name: value for name, value in asked.items() if value})
    caller.show(of_app(caller, app_id, "GET", f"/runs?{query}")["data"], app_columns.APP_RUNS)


def every_run(caller: Caller, statuses: tuple[str, ...], limit: int) -> list[dict[str, object]]:
    """The newest runs of all applications, each with its application."""
    wrong = [status for status in statuses if status not in STATUSES]
    if wrong:
        raise click.UsageError(f"--status of apps is one of {', '.join(STATUSES)}, not {', '.join(wrong)}")
    query = urlencode({"resolveData": "none", "limit": limit, "status": ",".join(statuses)})
    found = [
        {"app": one["appId"], **run}
        for one in ask(caller, "GET", "/api/v1/apps")["data"]
        for run in of_app(caller, one["appId"], "GET", f"/runs?{query}")["data"]
    ]
    return sorted(found, key=lambda run: str(run["createdAt"]), reverse=True)[:limit]


def _about_run(name: str, method: str, path: str, shown: Any, says: str) -> None:
    """A verb that is one request about a run."""

    @an_app
    @click.argument("run_id", metavar="RUN")
    @pass_caller
    def verb(caller: Caller, app_id: str, run_id: str) -> None:
        caller.resource = f"run {run_id}"
        if name in ("cancel", "replay"):
            caller.confirm(f"{name.capitalize()} {run_id}?")
        about = path.format(quote(run_id, safe=""))
        walks = name in ("events", "steps")
        caller.show(_walked(caller, app_id, about) if walks else of_app(caller, app_id, method, about), shown)

    run.command(name, help=says)(verb)


def _walked(caller: Caller, app_id: str, path: str) -> list[dict[str, object]]:
    """All rows of a list, page by page: the log of a long run has more events than one page."""
    rows: list[dict[str, object]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = of_app(caller, app_id, "GET", f"{path}?{urlencode({'limit': PAGE, 'cursor': cursor})}")
        rows += page["data"]
        cursor = page["cursor"] if page["hasMore"] else None
    return rows


_about_run("get", "GET", "/runs/{}", app_columns.APP_RUN, "Show one run.")
_about_run("events", "GET", "/runs/{}/events", app_columns.APP_EVENTS, "Show the log of a run.")
_about_run("steps", "GET", "/runs/{}/steps", app_columns.APP_STEPS, "Show the steps of a run.")
_about_run("cancel", "POST", "/runs/{}/cancel", app_columns.APP_RUN, "Cancel an open run.")
_about_run("replay", "POST", "/runs/{}/replay", app_columns.APP_RUN, "Run it again from its start.")
_about_run("wake-up", "POST", "/runs/{}/wake-up", app_columns.APP_WOKEN, "End the sleeps of a run.")


@message.command("list")
@an_app
@click.option("--run", "run_id", help="About this run alone.")
@click.option("--limit", type=click.IntRange(1, 200), default=50)
@pass_caller
def messages(caller: Caller, app_id: str, run_id: str | None, limit: int) -> None:
    """List messages that are still to be delivered, soonest due first."""
    query = urlencode({"limit": limit, **({"runId": run_id} if run_id else {})})
    caller.show(of_app(caller, app_id, "GET", f"/messages?{query}")["data"], app_columns.APP_MESSAGES)


@dead_letter.command("list")
@an_app
@click.option("--limit", type=click.IntRange(1, 200), default=50)
@pass_caller
def dead_letters(caller: Caller, app_id: str, limit: int) -> None:
    """List messages that could not be delivered, the newest first."""
    caller.show(
        of_app(caller, app_id, "GET", f"/dead-letters?limit={limit}")["data"], app_columns.APP_DEAD_LETTERS
    )


@dead_letter.command()
@an_app
@click.argument("message_id", metavar="MESSAGE")
@pass_caller
def retry(caller: Caller, app_id: str, message_id: str) -> None:
    """Deliver a message after all; only one that was given up by a cancel or an expiry."""
    caller.resource = f"message {message_id}"
    of_app(caller, app_id, "POST", f"/dead-letters/{quote(message_id, safe='')}/retry")
    output.say(f"{message_id} is delivered again.")


@handler.command("add")
@an_app
@click.argument("deployment", metavar="VERSION")
@click.argument("base_url", metavar="URL")
@click.option("--pod", default="cli", help="Its name; another registration of this name replaces it.")
@pass_caller
def add(caller: Caller, app_id: str, deployment: str, base_url: str, pod: str) -> None:
    """Deliver messages of a version to the app that answers at a base URL."""
    base = f"{base_url.rstrip('/')}/.well-known/workflow/v1"
    endpoints = {"workflow": f"{base}/flow", "step": f"{base}/step", "webhook": f"{base}/webhook"}
    body = {"podId": pod, "deploymentVersion": deployment, "endpoints": endpoints}
    of_app(caller, app_id, "POST", "/handlers", body)
    output.say(f"Messages for {deployment} of {app_id} go to {base}/….")


@handler.command("list")
@an_app
@pass_caller
def handlers(caller: Caller, app_id: str) -> None:
    """List where messages go."""
    caller.show(of_app(caller, app_id, "GET", "")["handlers"], app_columns.APP_HANDLERS)


@handler.command()
@an_app
@click.argument("pod")
@pass_caller
def remove(caller: Caller, app_id: str, pod: str) -> None:
    """Deliver nothing to a handler any more."""
    of_app(caller, app_id, "DELETE", f"/handlers/{quote(pod, safe='')}")
    output.say(f"{pod} of {app_id} gets no messages any more.")
