"""What all commands that start a run have in common: plan only, wait, queue, what a failure does."""

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import click

from app.cli import columns, exits, failure, output
from app.cli.context import Caller
from app.cli.follow import follow, told
from app.domain.states import ORDERED_ON_FAILURE
from windlass import Event, Plan, Run

F = TypeVar("F", bound=Callable[..., object])

_OPTIONS = (
    click.option("--dry-run", is_flag=True, help="Show the plan and start nothing."),
    click.option("--wait", is_flag=True, help="Follow the run to its end; the exit status is its result."),
    click.option(
        "--timeout", type=click.FloatRange(0), metavar="SECONDS", help="Stop waiting after this time."
    ),
    click.option(
        "--on-failure",
        type=click.Choice(ORDERED_ON_FAILURE),
        help="After a failure: compensate at once, or hold for an operator.",
    ),
    click.option("--queue", is_flag=True, help="Wait while another run holds the lock of the resource."),
)


def triggers(command: F) -> F:
    """The options of a command that starts a run."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def waits(command: F) -> F:
    """Only the options about waiting."""
    return _OPTIONS[1](_OPTIONS[2](command))


def options(on_failure: str | None, queue: bool) -> dict[str, Any]:
    """Those of them that the client takes."""
    return {"on_failure": on_failure, "on_conflict": "queue" if queue else None}


def show_plan(caller: Caller, plan: Plan) -> None:
    """The plan, and that nothing was started."""
    if caller.form != "table":
        caller.show(plan.raw, columns.PLAN)
        return
    caller.show(plan.raw, columns.PLAN)
    click.echo()
    caller.show(plan.raw.get("steps", []), columns.PLANNED)
    output.say("A dry run: nothing was started.")


def show_run(caller: Caller, run: Run, *, steps: bool = True) -> None:
    """A run with its steps, and what an operator may do about it."""
    caller.show(run.raw, columns.RUN)
    if caller.form != "table":
        return
    for title, found in (("Steps", run.raw.get("steps")), ("Undo", run.raw.get("compensation"))):
        if steps and found:
            click.echo(f"\n{title}")
            caller.show([_standing(step) for step in found], columns.STEPS)
    if run.needs_operator or run.status == "failed":
        output.say(failure.of_run(run))


def show_events(caller: Caller, events: Iterable[Event]) -> None:
    """A log: programs get its events, people a line for each."""
    raw = [each.raw if caller.form != "table" else {**each.raw, "told": told(each)} for each in events]
    caller.show(raw, columns.EVENTS)


def started(caller: Caller, run_id: str, wait: bool, timeout: float | None, what: str) -> None:
    """Say that a run has begun, or follow it to its end and leave with its exit status."""
    if wait:
        ended(caller, follow(caller.client, run_id, timeout_s=timeout))
    output.say(f"{what}: run {run_id}")
    caller.hint(f"windlass run watch {run_id}")


def ended(caller: Caller, run: Run) -> None:
    """Show how a run ended and leave with its exit status."""
    # On a terminal the last live picture has the steps already.
    show_run(caller, run, steps=not sys.stderr.isatty())
    status = exits.of_run(run)
    if status is exits.Exit.RUN_CANCELLED:
        output.say(failure.of_run(run))
    raise click.exceptions.Exit(status)


def _standing(step: Mapping[str, object]) -> Mapping[str, Any]:
    """A step without the error of an attempt that no longer counts."""
    stands = step.get("status") in ("completed", "skipped")
    return {name: value for name, value in step.items() if not (stands and name == "error")}
