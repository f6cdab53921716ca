"""`windlass doctor`: check in SQL what must always hold, and say what to do."""

from collections import Counter

import click

from app.cli import columns, output
from app.cli.context import Caller, Verb, pass_caller
from app.cli.direct import world
from app.cli.exits import Exit
from app.services import doctor as service
from app.services import workers


@click.command(cls=Verb)
@pass_caller
def doctor(caller: Caller) -> None:
    """Check the invariants of docs/invariants.rst; exit with status 1 if one is broken."""
    db = world().db
    found = db.read(service.findings)
    heard = Counter(row["kind"] for row in db.read(workers.working))
    names = ", ".join(f"{heard[kind]} {kind}{'s' if heard[kind] != 1 else ''}" for kind in workers.KINDS)
    output.say(f"Heard of within the last half minute: {names}.")
    if found:
        caller.show(found, columns.FINDINGS)
        output.say(f"{len(found)} finding{'s' if len(found) != 1 else ''}.")
        raise click.exceptions.Exit(Exit.ERROR)
    if caller.form != "table":
        caller.show([], columns.FINDINGS)
    output.say("Every invariant holds.")
