"""`windlass doctor`: check in SQL what must always hold, and say what to do."""

import click

from app.cli import columns, output
from app.cli.context import Caller, Verb, pass_caller
from app.cli.direct import world
from app.cli.exits import Exit
from app.record.runs.doctor import findings


@click.command(cls=Verb)
@pass_caller
def doctor(caller: Caller) -> None:
    """Check what must always hold; exit status 1 when something does not."""
    found = world().db.read(findings)
    if found:
        caller.show(found, columns.FINDINGS)
        output.say(f"{len(found)} findings.")
        raise click.exceptions.Exit(Exit.ERROR)
    if caller.form != "table":
        caller.show([], columns.FINDINGS)
    output.say("Every invariant holds.")
