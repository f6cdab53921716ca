"""`windlass run`: start, follow and move runs."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from app.cli import columns, follow, inputs, operating_columns, output
from app.cli.commands.runbulk import bulk
from app.cli.context import Caller, Noun, pass_caller
from app.cli.runids import run_argument
from app.cli.triggers import ended, options, show_events, show_plan, show_run, started, triggers, waits
from app.domain.run_kind import RunKind
from windlass import Event, InvalidState, Run

reason = click.option("--reason", help="Reason; written into the log of the run.")


@click.group(cls=Noun)
def run() -> None:
    """Start, follow and change runs."""


@run.command("list")
@click.argument("text", metavar="[TEXT]", required=False)
@click.option("--kind", type=click.Choice([*map(str, RunKind)]), help="Only runs of this kind.")
@click.option("--type", "type_", multiple=True, help="Only this type; may be repeated.")
@click.option("--not-type", multiple=True, help="Not this type; may be repeated.")
@click.option("--status", multiple=True, help="pending, running, completed, failed or cancelled; repeatable.")
@click.option("--not-status", multiple=True, help="Not this status; may be repeated.")
@click.option("--error", help="Only runs that failed with this code: BMC_REFUSED, TIMEOUT and so on.")
@click.option("--unacknowledged", is_flag=True, help="Only runs that nobody has acknowledged.")
@click.option("--resource", help="Only runs on the resource with this name or id.")
@click.option("--by", help="Only runs that this actor started (usr_…).")
@click.option("--since", type=inputs.Moment(), help="Started at or after: a date, a time, 1h, yesterday.")
@click.option("--until", type=inputs.Moment(), help="Started before: a date, a time, 1h, today.")
@click.option("--tag", multiple=True, help="Only runs with this tag; may be repeated.")
@click.option(
    "--detail",
    multiple=True,
    help="Only runs in this exact state: blocked, failed_held and so on.",
)
@click.option("--parent", help="Only runs that this run started.")
@click.option("--needs-operator", is_flag=True, help="Only runs that need an operator, with the reason.")
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True, help="Number of rows.")
@click.option("--page", type=click.IntRange(1), help="Number of the page.")
@click.option("--waiting", is_flag=True, help="Only runs that wait, with what each waits for.")
@click.option("--source", type=click.Choice(("service", "apps")), default="service", show_default=True)
@pass_caller
def list_(
    caller: Caller, /, type_: tuple[str, ...], resource: str | None, by: str | None, source: str, **more: Any
) -> None:
    """List runs, newest first; with TEXT those whose id has it, or whose resource has it in its name.

    TEXT is the beginning of an id or six characters of its end, or a part of the name, serial number or
    address of what the run works on. With --source apps the runs of all apps of the Workflow DevKit, as
    `windlass app run list` reads them: --url is that of the apps API. Only --status and --limit narrow
    them.
    """
    if source == "apps":
        others = {**more, "type": type_, "resource": resource, "by": by}
        _of_apps(caller, others.pop("status"), others.pop("limit"), others)
        return
    more["acknowledged"] = False if more.pop("unacknowledged") else None
    more |= {"q": more.pop("text"), "error_code": more.pop("error")}
    flags = {name: more.pop(name) or None for name in ("waiting", "needs_operator")}
    named = {"resource_id": resource, "triggered_by": by, "parent_run_id": more.pop("parent")}
    page_number = more.pop("page")
    page = caller.client.runs.list(type=type_, page=page_number, **named, **flags, **more)
    caller.show([each.raw for each in page], columns.WAITING if any(flags.values()) else columns.RUNS)
    if page.has_more:
        output.say(f"{len(page.items)} of {page.total}; --page {(page_number or 1) + 1} shows the next.")
    asking = sum(each.needs_operator for each in page)
    if asking and not flags["needs_operator"] and caller.form == "table":
        verb = "needs" if asking == 1 else "need"
        output.say(f"{asking} {verb} an operator: `windlass run list --needs-operator` says why.")


def _of_apps(caller: Caller, statuses: tuple[str, ...], limit: int, others: Mapping[str, object]) -> None:
    from app.cli import app_columns
    from app.cli.commands import apps
    from app.cli.context import stays_here

    stays_here(click.get_current_context(), "app")
    given = [name for name, value in others.items() if value]
    if given:
        raise click.UsageError(
            f"--source apps goes with --status and --limit alone, not with: {', '.join(given)}"
        )
    caller.show(apps.every_run(caller, statuses, limit), app_columns.ALL_APP_RUNS)


@run.command()
@run_argument
@pass_caller
def get(caller: Caller, run_id: str) -> None:
    """Show a run with its input, steps and output, and the actions that are possible."""
    show_run(caller, caller.client.runs.get(run_id))


@run.command()
@click.argument("type_", metavar="TYPE")
@click.option(
    "-i", "--input", "given", type=inputs.JsonObject(), help="Input as JSON, @FILE, or - for standard input."
)
@click.option("-p", "--param", "params", multiple=True, metavar="NAME=VALUE", help="One field of the input.")
@click.option("--resource", help="Name or id of the resource.")
@click.option("--tag", "tags", multiple=True, help="Repeatable.")
@click.option(
    "--idempotency-key", help="Idempotency key: starting again with this key returns the first run."
)
@click.option("--callback-url", help="URL that receives the events of this run.")
@triggers
@pass_caller
def start(
    caller: Caller,
    /,
    type_: str,
    given: dict[str, object] | None,
    params: tuple[str, ...],
    resource: str | None,
    tags: tuple[str, ...],
    **more: Any,
) -> None:
    """Start a run of TYPE."""
    order = {
        "input": inputs.joined(given or {}, inputs.members(params, "--param")),
        "resource_id": resource,
        "tags": list(tags) or None,
        "idempotency_key": more["idempotency_key"],
        "callback_url": more["callback_url"],
    }
    if more["dry_run"]:
        show_plan(caller, caller.client.runs.plan(type_, on_failure=more["on_failure"], **order))
        return
    run = caller.client.runs.start(type_, **order, **options(more["on_failure"], more["queue"]))
    _tell(caller, run, "Started", more["wait"], more["timeout"])


@run.command()
@click.argument("type_", metavar="TYPE")
@click.option(
    "-i", "--input", "given", type=inputs.JsonObject(), help="Input as JSON, @FILE, or - for standard input."
)
@click.option("-p", "--param", "params", multiple=True, metavar="NAME=VALUE", help="One field of the input.")
@click.option("--resource", help="Name or id of the resource.")
@pass_caller
def plan(
    caller: Caller, type_: str, given: dict[str, object] | None, params: tuple[str, ...], resource: str | None
) -> None:
    """Show the plan of a run of TYPE and start nothing."""
    values = inputs.joined(given or {}, inputs.members(params, "--param"))
    show_plan(caller, caller.client.runs.plan(type_, values, resource_id=resource))


@run.command()
@run_argument
@click.option("--timeout", type=click.FloatRange(0), metavar="SECONDS", help="Stop waiting after this time.")
@pass_caller
def watch(caller: Caller, run_id: str, timeout: float | None) -> None:
    """Follow a run to its end; the exit status is its result."""
    ended(caller, follow.follow(caller.client, run_id, timeout_s=timeout))


@run.command()
@run_argument
@click.option(
    "--mode", type=click.Choice(("graceful", "abandon", "kill")), help="How to cancel; default: graceful."
)
@reason
@click.option("--dry-run", is_flag=True, help="Show what would be undone and what stays; change nothing.")
@waits
@pass_caller
def cancel(
    caller: Caller,
    run_id: str,
    mode: str | None,
    reason: str | None,
    dry_run: bool,
    wait: bool,
    timeout: float | None,
) -> None:
    """Cancel a run and undo what it did."""
    if dry_run:
        caller.show(caller.client.runs.plan_cancel(run_id, mode=mode), operating_columns.CANCEL_PLAN)
        return
    caller.confirm(f"Cancel {run_id}?")
    _tell(caller, caller.client.runs.cancel(run_id, reason=reason, mode=mode), "Cancelling", wait, timeout)


@run.command()
@run_argument
@click.option("--from", "from_step", metavar="STEP", help="Step to start at, or earliest.")
@click.option(
    "-i", "--input", "given", type=inputs.JsonObject(), help="Changed fields of the input; the others stay."
)
@reason
@click.option("--dry-run", is_flag=True, help="Show which steps would be kept and repeated; start nothing.")
@waits
@pass_caller
def retry(
    caller: Caller,
    run_id: str,
    from_step: str | None,
    given: Mapping[str, object] | None,
    reason: str | None,
    dry_run: bool,
    wait: bool,
    timeout: float | None,
) -> None:
    """Start a new run that repeats a failed, held or cancelled one."""
    where = {"from_": "earliest"} if from_step == "earliest" else {"from_step": from_step}
    if dry_run:
        show_plan(caller, caller.client.runs.plan_retry(run_id, input=given, **where))
        return
    run = caller.client.runs.retry(run_id, input=given, reason=reason, **where)
    _tell(caller, run, f"Retrying {run_id}", wait, timeout)


def _acts(verb: str, help: str, word: str) -> None:
    """One operator's action without a step."""

    @run.command(verb, help=help)
    @run_argument
    @reason
    @waits
    @pass_caller
    def act(caller: Caller, run_id: str, reason: str | None, wait: bool, timeout: float | None) -> None:
        move: Callable[..., Run] = getattr(caller.client.runs, verb)
        _tell(caller, move(run_id, reason=reason), word, wait, timeout)


def _acts_on_step(verb: str, help: str, word: str) -> None:
    """One operator's action on a step; without one the service takes the step that failed."""

    @run.command(verb, help=help)
    @run_argument
    @click.argument("step", required=False)
    @reason
    @waits
    @pass_caller
    def act(
        caller: Caller,
        run_id: str,
        step: str | None,
        reason: str | None,
        wait: bool,
        timeout: float | None,
    ) -> None:
        caller.confirm(f"{word} {step or 'the failed step'} of {run_id}? The service believes you.")
        move: Callable[..., Run] = getattr(caller.client.runs, verb)
        _tell(caller, move(run_id, step, reason=reason), word, wait, timeout)


@run.command()
@run_argument
@reason
@waits
@pass_caller
def resume(caller: Caller, run_id: str, reason: str | None, wait: bool, timeout: float | None) -> None:
    """Let a held or blocked run try its failed step again.

    A step that cannot be repeated alone, such as the wait for an installer, is begun again where it has to
    be: a new run takes over there.
    """
    try:
        run, word = caller.client.runs.resume(run_id, reason=reason), "Resumed"
    except InvalidState as refused:
        begin = refused.details.get("fromStep")
        if begin is None:
            raise
        run = caller.client.runs.retry(run_id, from_step=str(begin), reason=reason)
        word = f"A new run takes over from {run_id} at {begin}"
    _tell(caller, run, word, wait, timeout)


_acts("compensate", "Let a held or blocked run undo what it did.", "Compensating")
_acts("pause", "Let nothing new start in a run.", "Paused")
_acts("unpause", "Let a paused run go on.", "Unpaused")
_acts("acknowledge", "Say of a failed run that it is dealt with.", "Acknowledged")
_acts_on_step("skip", "Leave out a step, or an undo, and go on.", "Skip")
_acts_on_step("resolve", "Declare a step, or an undo, as done by hand and go on.", "Resolve")


@run.command()
@run_argument
@click.argument("text", required=False)
@pass_caller
def note(caller: Caller, run_id: str, text: str | None) -> None:
    """Write TEXT into the log of a run; without TEXT, show the remarks and what operators did."""
    runs = caller.client.runs
    found = runs.notes(run_id) if text is None else runs.note(run_id, text)
    caller.show([one.raw for one in found], operating_columns.NOTES)


run.add_command(bulk)


@run.command()
@run_argument
@click.option("--after", type=click.IntRange(0), help="Only events after this number.")
@click.option("-f", "--follow", "live", is_flag=True, help="Follow until the run has ended.")
@pass_caller
def events(caller: Caller, run_id: str, after: int | None, live: bool) -> None:
    """Show the log of a run."""
    if live:
        _live(caller, run_id, lambda event: True, after or 0)
        return
    show_events(caller, caller.client.runs.events(run_id, after=after))


@run.command()
@run_argument
@click.option("-f", "--follow", "live", is_flag=True, help="Follow until the run has ended.")
@click.option("--step", help="Only log lines of this step.")
@pass_caller
def logs(caller: Caller, run_id: str, live: bool, step: str | None) -> None:
    """Show the log lines of the steps of a run."""

    def said(event: Event) -> bool:
        return event.type == "step.log" and step in (None, event.step)

    if live:
        _live(caller, run_id, said, 0)
        return
    found = [event for event in caller.client.runs.events(run_id) if said(event)]
    if caller.form != "table":
        caller.show([event.raw for event in found], columns.EVENTS)
        return
    for event in found:
        click.echo(follow.line(event))


@run.command()
@run_argument
@click.option(
    "--as-of", type=click.IntRange(1), metavar="SEQ", help="State after the event with this number."
)
@pass_caller
def state(caller: Caller, run_id: str, as_of: int | None) -> None:
    """Show the state of a run, computed from its events."""
    form = "json" if caller.form == "table" else caller.form
    output.emit(form, caller.client.runs.state(run_id, as_of=as_of), ())


@run.command()
@run_argument
@click.option(
    "--file", type=click.Path(dir_okay=False, path_type=Path), help="Where to; else standard output."
)
@pass_caller
def export(caller: Caller, run_id: str, file: Path | None) -> None:
    """Write a run, its steps and its whole log as one JSON document."""
    document = caller.client.runs.export(run_id)
    text = output.as_text("yaml" if caller.form == "yaml" else "json", document)
    if file is None:
        click.echo(text, nl=False)
        return
    file.write_text(text)
    output.say(f"{run_id} with {len(document['events'])} events is in {file}.")


def _tell(caller: Caller, run: Run, what: str, wait: bool, timeout: float | None) -> None:
    if not wait:
        caller.show(run.raw, columns.BEGUN)
    started(caller, run.id, wait, timeout, what)


def _live(caller: Caller, run_id: str, wanted: Callable[[Event], bool], after: int) -> None:
    for event in caller.client.runs.stream(run_id, after=after):
        if wanted(event):
            click.echo(follow.line(event) if caller.form == "table" else output.one(caller.form, event.raw))
