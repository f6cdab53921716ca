"""`windlass workflow`: trigger code workflows, follow them, send them signals."""

import json
from typing import Any

import click

from app.cli import columns, inputs, output
from app.cli.context import Caller, Noun, pass_caller
from app.cli.runids import run_argument
from app.cli.triggers import started, waits
from windlass import WorkflowRun

data = click.argument("data", required=False, type=inputs.Json(), metavar="[JSON]")


@click.group(cls=Noun)
def workflow() -> None:
    """Trigger and follow code workflows, and send signals."""


@workflow.command()
@pass_caller
def definitions(caller: Caller) -> None:
    """List announced workflows, and whether workers serve them now."""
    caller.show([each.raw for each in caller.client.workflow.definitions()], columns.DEFINITIONS)
    caller.hint("windlass workflow trigger NAME")


@workflow.command("list")
@click.option("--workflow", "workflow_name", metavar="NAME", help="Only runs of this workflow.")
@click.option("--status", help="pending, running, completed, failed or cancelled.")
@click.option("--parent", help="Only children of this run.")
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True, help="Number of rows.")
@pass_caller
def list_(caller: Caller, /, parent: str | None, **filters: Any) -> None:
    """List runs of code workflows, newest first."""
    if parent is not None:
        caller.show([run.raw for run in caller.client.workflow.get_child_runs(parent)], columns.CODE_RUNS)
        return
    page = caller.client.workflow.get_runs(**filters)
    caller.show([run.raw for run in page], columns.CODE_RUNS)
    if page.has_more:
        output.say(f"The newest {len(page)}; the filters or --limit show others.")


@workflow.command()
@run_argument
@pass_caller
def show(caller: Caller, run_id: str) -> None:
    """Show a run, its input and its result."""
    _show(caller, caller.client.workflow.get_run(run_id))
    caller.hint(f"windlass run get {run_id}")


@workflow.command()
@click.argument("name")
@click.argument("args", nargs=-1, metavar="[JSON]...")
@click.option(
    "-i",
    "--input",
    "given",
    type=inputs.Json(),
    help="Arguments as JSON, @FILE, or - for standard input: a list, or one argument.",
)
@click.option("-p", "--param", "params", multiple=True, metavar="NAME=VALUE", help="One argument by name.")
@click.option("--version", help="Version of the workflow; default: the newest.")
@click.option("--run-id", help="Id of the run; must be free.")
@click.option(
    "--idempotency-key", help="Idempotency key: triggering again with this key returns the first run."
)
@click.option("--parent", "parent_run_id", metavar="RUN", help="Parent run.")
@click.option("--max-events", type=click.IntRange(1), help="Largest number of events of the run.")
@click.option("--execution-timeout", metavar="DURATION", help="Longest time of work, for example 90s or 10m.")
@waits
@pass_caller
def trigger(
    caller: Caller,
    /,
    name: str,
    args: tuple[str, ...],
    given: object,
    params: tuple[str, ...],
    wait: bool,
    timeout: float | None,
    **options: Any,
) -> None:
    """Start a run of the workflow NAME. Arguments are JSON; anything else is taken as text."""
    if args and given is not None:
        raise click.UsageError("Give the arguments either one by one or with --input.")
    input_ = [inputs.value(text) for text in args] if given is None else given
    kwargs = inputs.members(params, "--param") or None
    run = caller.client.workflow.trigger(name, input_, kwargs=kwargs, **options)
    if not wait:
        _show(caller, run)
    started(caller, run.run_id, wait, timeout, "Triggered")


@workflow.command()
@run_argument
@click.argument("name")
@data
@click.option("--idempotency-key", help="Idempotency key: sending again with this key changes nothing.")
@pass_caller
def signal(caller: Caller, run_id: str, name: str, data: object, idempotency_key: str | None) -> None:
    """Send the signal NAME with data to a run; it is stored until the function waits for it."""
    signal_id = caller.client.workflow.send_signal(run_id, name, data, idempotency_key=idempotency_key)
    caller.show({"signalId": signal_id}, (("Signal", "signalId"),))
    caller.hint(f"windlass run watch {run_id}")


@workflow.command()
@run_argument
@click.option("--after", type=click.IntRange(0), default=0, help="Only events after this number.")
@pass_caller
def events(caller: Caller, run_id: str, after: int) -> None:
    """Show the events of a run, including those of users."""
    found = caller.client.workflow.get_events(run_id, after=after)
    caller.show([event.raw for event in found], columns.CODE_EVENTS)


@workflow.command()
@run_argument
@click.argument("event_type", metavar="TYPE")
@data
@click.option("--correlation-id", help="Correlation id.")
@pass_caller
def emit(caller: Caller, run_id: str, event_type: str, data: object, correlation_id: str | None) -> None:
    """Write an event of your own TYPE into the log of a run."""
    told = caller.client.workflow.emit_event(run_id, event_type, data, correlation_id=correlation_id)
    caller.show(told.raw, columns.CODE_EVENT)


@workflow.command()
@run_argument
@click.option("--reason", help="Reason; written into the log of the run.")
@pass_caller
def cancel(caller: Caller, run_id: str, reason: str | None) -> None:
    """Cancel a run and undo what it did."""
    caller.confirm(f"Cancel {run_id}?")
    _show(caller, caller.client.workflow.cancel(run_id, reason=reason))
    caller.hint(f"windlass run watch {run_id}")


@workflow.group(cls=Noun)
def hook() -> None:
    """Manage hooks: tokens that send a signal without an API key."""


@hook.command()
@run_argument
@click.argument("name")
@click.argument("action", required=False)
@click.option("-m", "--metadata", type=inputs.JsonObject(), help="Metadata of the hook, as JSON.")
@pass_caller
def create(
    caller: Caller, run_id: str, name: str, action: str | None, metadata: dict[str, object] | None
) -> None:
    """Create a hook that sends the signal NAME; its token is shown only once."""
    made = caller.client.workflow.create_hook(run_id, name, action, metadata)
    caller.show(made.raw, columns.HOOK)
    output.say("Keep the token: it is not shown again.")
    caller.hint(f"windlass workflow hook execute {made.token} '{json.dumps({'approved': True})}'")


@hook.command()
@click.argument("token")
@data
@pass_caller
def execute(caller: Caller, token: str, data: object) -> None:
    """Call a hook with data; the token is the only key."""
    caller.client.workflow.execute_hook(token, data)
    output.say("The hook was called.")


def _show(caller: Caller, run: WorkflowRun) -> None:
    caller.show(run.raw, columns.CODE_RUN)
