"""`windlass audit`: who changed what, and why."""

from typing import Any

import click

from app.cli import inputs, operating_columns, output
from app.cli.context import Caller, Verb, pass_caller


@click.command(cls=Verb)
@click.option("--actor", help="Only changes that this actor made (usr_…).")
@click.option("--action", help="Only this action: pool.change, run.cancel, type.pause and so on.")
@click.option("--resource-type", help="Only changes of this kind of thing: pool, run, key and so on.")
@click.option("--resource", "resource_id", help="Only changes of the thing with this id.")
@click.option("--since", type=inputs.Moment(), help="Made at or after: a date, a time, 1h, yesterday.")
@click.option("--until", type=inputs.Moment(), help="Made before: a date, a time, 1h, today.")
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True, help="Number of rows.")
@click.option("--all", "whole", is_flag=True, help="Show everything that matches, for an export.")
@pass_caller
def audit(caller: Caller, /, limit: int, whole: bool, **filters: Any) -> None:
    """List changes that were made through the API, the console and this command, newest first."""
    if whole:
        caller.show([entry.raw for entry in caller.client.audit.each(**filters)], operating_columns.AUDIT)
        return
    page = caller.client.audit.list(limit=limit, **filters)
    caller.show([entry.raw for entry in page], operating_columns.AUDIT)
    if page.has_more:
        output.say(f"{len(page.items)} of {page.total}; --all shows all of them.")
