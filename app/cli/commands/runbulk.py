"""`windlass run bulk`: the same thing done to many runs."""

from typing import Any

import click

from app.cli import inputs, operating_columns, output
from app.cli.context import Caller, Verb, pass_caller
from app.cli.exits import Exit

VERBS = ("retry", "cancel", "resume", "acknowledge")


@click.command(cls=Verb)
@click.argument("verb", type=click.Choice(VERBS))
@click.argument("ids", metavar="[RUN]...", nargs=-1)
@click.option("--type", "type", multiple=True, help="Runs of this type; may be repeated.")
@click.option("--status", multiple=True, help="Runs with this status; may be repeated.")
@click.option("--detail", multiple=True, help="Runs in this exact state; may be repeated.")
@click.option("--error", "error_code", help="Runs that failed with this code.")
@click.option("--search", "q", help="Runs whose id, or whose resource's name, has this text.")
@click.option("--tag", multiple=True, help="Runs with this tag; may be repeated.")
@click.option("--since", type=inputs.Moment(), help="Started at or after: a date, a time, 1h, yesterday.")
@click.option("--until", type=inputs.Moment(), help="Started before: a date, a time, 1h, today.")
@click.option("--needs-operator", is_flag=True, help="Runs that need an operator.")
@click.option("--reason", help="Reason; written into the log of each run.")
@click.option("--dry-run", is_flag=True, help="Count, and show which runs would be refused; change nothing.")
@pass_caller
def bulk(
    caller: Caller, /, verb: str, ids: tuple[str, ...], reason: str | None, dry_run: bool, **filters: object
) -> None:
    """Retry, cancel, resume or acknowledge the named runs, or those that match; 200 at a time."""
    chosen = {name: _plain(value) for name, value in filters.items() if value}
    if bool(ids) == bool(chosen):
        raise click.UsageError("Name runs by their ids, or choose them by options; not both.")
    which: dict[str, Any] = {"ids": list(ids)} if ids else {"filter": chosen}
    runs = caller.client.runs
    counted = runs.many(verb, dry_run=True, reason=reason, **which)
    if dry_run:
        caller.show(counted.raw, operating_columns.BULK)
        if caller.form == "table":
            caller.show(list(counted.refused), operating_columns.BULK_REFUSED)
        return
    caller.confirm(f"{verb.capitalize()} {counted.possible} of {counted.matched} runs?")
    done = runs.many(verb, reason=reason, **which)
    caller.show(list(done.results), operating_columns.BULK_RESULTS)
    output.say(f"{done.possible} of {done.considered} runs: {verb}; {len(done.refused)} were refused.")
    if done.matched > done.considered:
        output.say(f"{done.matched - done.considered} more match: the same command goes on with them.")
    if done.refused:
        raise click.exceptions.Exit(Exit.CONFLICT)


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
