"""`windlass stats`: how many runs ended how, how long they took, and why they failed."""

import click

from app.cli import columns, inputs, operating_columns
from app.cli.context import Caller, Verb, pass_caller


@click.command(cls=Verb)
@click.argument("name", metavar="[TYPE]", required=False)
@click.option("--since", type=inputs.Moment(), help="Since a date, a time, 1h, yesterday; else 30 days.")
@click.option("--by", type=click.Choice(("minute", "hour", "day", "week")), help="Numbers of each such part.")
@click.option("--breakdown", is_flag=True, help="Reasons by step and by resource, and the times of steps.")
@pass_caller
def stats(caller: Caller, name: str | None, since: str | None, by: str | None, breakdown: bool) -> None:
    """Show how runs ended, how long they took and why they failed: of all types, or of TYPE."""
    found = caller.client.metrics.get(name, since=since, interval=by, breakdown=breakdown or None).raw
    if caller.form != "table":
        caller.show(found, ())
        return
    if found.get("byType"):
        caller.show([*found["byType"], {**found, "type": "all"}], columns.STATS)
    else:
        caller.show(found, columns.STATS_OF_TYPE)
    if found.get("failureReasons"):
        click.echo()
        caller.show(found["failureReasons"], columns.REASONS)
    for member, shown in (
        ("failuresByStep", operating_columns.REASONS_BY_STEP),
        ("failuresByResource", operating_columns.REASONS_BY_RESOURCE),
        ("steps", operating_columns.STEP_TIMES),
        ("buckets", operating_columns.BUCKETS),
    ):
        if found.get(member):
            click.echo()
            caller.show(found[member], shown)
