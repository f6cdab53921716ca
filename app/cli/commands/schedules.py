"""`windlass schedule`: runs that are started when their time comes."""

from collections.abc import Callable
from functools import reduce
from itertools import islice
from typing import Any, TypeVar

import click

from app.cli import columns, inputs, output
from app.cli.context import Caller, Noun, pass_caller
from app.cli.triggers import show_run
from app.domain.schedules import CATCH_UP, OVERLAP
from app.domain.states import ORDERED_ON_FAILURE

F = TypeVar("F", bound=Callable[..., object])

OPTIONS = (
    click.option("--cron", help='Five fields as in crontab(5), or @hourly, @daily, …: "30 2 * * *".'),
    click.option("--timezone", help="Time zone of --cron, for example Europe/Berlin; default: UTC."),
    click.option(
        "--every",
        "every_ms",
        type=inputs.Duration(),
        help="Interval instead of --cron, for example 90s, 10m or 1h30m.",
    ),
    click.option(
        "-i",
        "--input",
        type=inputs.JsonInput(),
        help="Input as a JSON object or list, @FILE, or - for standard input.",
    ),
    click.option("--resource", "resource_id", help="Id of the resource of its runs."),
    click.option("--version", "workflow_version", help="Version of a code workflow; default: the newest."),
    click.option(
        "--on-failure", type=click.Choice(ORDERED_ON_FAILURE), help="Compensate or hold a failed run."
    ),
    click.option("--tag", "tags", multiple=True, help="Tag of its runs; repeatable."),
    click.option(
        "--overlap",
        type=click.Choice(list(OVERLAP)),
        help="Policy for a due time while a run of the schedule is open.",
    ),
    click.option(
        "--catch-up",
        type=click.Choice(list(CATCH_UP)),
        help="Policy for due times that were missed during an outage.",
    ),
    click.option(
        "--catch-up-limit", type=click.IntRange(1, 100), help="Most runs to catch up with --catch-up all."
    ),
)


def said(command: F) -> F:
    """The options that say what is started, and when."""
    return reduce(lambda made, option: option(made), reversed(OPTIONS), command)


@click.group(cls=Noun)
def schedule() -> None:
    """Start runs at due times."""


@schedule.command("list")
@click.option("--type", "type_", help="Only schedules of this type.")
@pass_caller
def list_(caller: Caller, type_: str | None) -> None:
    """List schedules."""
    found = caller.client.schedules.each(type=type_)
    caller.show([each.raw for each in found], columns.SCHEDULES)


@schedule.command()
@click.argument("schedule_id", metavar="SCHEDULE")
@pass_caller
def get(caller: Caller, schedule_id: str) -> None:
    """Show a schedule, its next due times and its last result."""
    caller.resource = f"schedule {schedule_id}"
    caller.show(caller.client.schedules.get(schedule_id).raw, columns.SCHEDULE)
    caller.hint(f"windlass schedule history {schedule_id}")


@schedule.command()
@click.argument("name")
@click.argument("type_", metavar="TYPE")
@said
@click.option("--paused", is_flag=True, default=None, help="Create it paused.")
@pass_caller
def create(caller: Caller, /, name: str, type_: str, **values: object) -> None:
    """Start runs of TYPE by --cron or --every."""
    made = caller.client.schedules.create(name, type_, **_given(values))
    caller.show(made.raw, columns.SCHEDULE)
    caller.hint(f"windlass run list --by {made.triggered_by}")


@schedule.command()
@click.argument("schedule_id", metavar="SCHEDULE")
@click.option("--name", help="New name.")
@said
@pass_caller
def change(caller: Caller, /, schedule_id: str, **values: object) -> None:
    """Change a schedule; --cron replaces --every and the other way round."""
    caller.resource = f"schedule {schedule_id}"
    caller.show(caller.client.schedules.update(schedule_id, **_given(values)).raw, columns.SCHEDULE)


@schedule.command()
@click.argument("schedule_id", metavar="SCHEDULE")
@click.option("--reason", help="Reason.")
@pass_caller
def pause(caller: Caller, schedule_id: str, reason: str | None) -> None:
    """Pause a schedule: nothing starts until `unpause`."""
    caller.resource = f"schedule {schedule_id}"
    caller.show(caller.client.schedules.pause(schedule_id, reason=reason).raw, columns.SCHEDULE)
    caller.hint(f"windlass schedule unpause {schedule_id}")


@schedule.command()
@click.argument("schedule_id", metavar="SCHEDULE")
@pass_caller
def unpause(caller: Caller, schedule_id: str) -> None:
    """Unpause a schedule."""
    caller.resource = f"schedule {schedule_id}"
    caller.show(caller.client.schedules.unpause(schedule_id).raw, columns.SCHEDULE)


@schedule.command()
@click.argument("schedule_id", metavar="SCHEDULE")
@pass_caller
def run(caller: Caller, schedule_id: str) -> None:
    """Start a run now, in addition to the due times."""
    caller.resource = f"schedule {schedule_id}"
    started = caller.client.schedules.run(schedule_id)
    show_run(caller, started)
    caller.hint(f"windlass run watch {started.id}")


@schedule.command()
@click.argument("schedule_id", metavar="SCHEDULE")
@click.option("--outcome", help="queued, started, skipped, refused or missed.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Number of rows.")
@pass_caller
def history(caller: Caller, schedule_id: str, outcome: str | None, limit: int) -> None:
    """List the outcome of each due time, latest first."""
    caller.resource = f"schedule {schedule_id}"
    found = islice(caller.client.schedules.occurrences(schedule_id, outcome=outcome), limit)
    caller.show([each.raw for each in found], columns.OCCURRENCES)


@schedule.command()
@click.argument("schedule_id", metavar="SCHEDULE")
@pass_caller
def delete(caller: Caller, schedule_id: str) -> None:
    """Delete a schedule; its runs stay."""
    caller.resource = f"schedule {schedule_id}"
    caller.confirm(f"Delete {schedule_id}?")
    caller.client.schedules.delete(schedule_id)
    output.say(f"{schedule_id} was deleted.")


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {**values, "tags": list(values["tags"]) or None}
