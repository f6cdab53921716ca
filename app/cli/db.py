"""`windlass db`: the database's tables."""

import click

from app.cli import output
from app.cli.context import Caller, Noun, pass_caller
from app.cli.exits import Exit
from app.config import load
from app.record import migrate


@click.group(cls=Noun)
def db() -> None:
    """The database's tables."""


@db.command()
def upgrade() -> None:
    """Bring the tables to the newest revision."""
    settings = load()
    if settings.database.startswith("sqlite"):
        settings.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    migrate.upgrade(settings.database)
    output.say("The tables are at the newest revision.")


@db.command()
@pass_caller
def check(caller: Caller) -> None:
    """Compare the tables with what the code wants; exit status 1 when they differ."""
    differences = migrate.check(load().database)
    if caller.form != "table":
        caller.show(differences, ())
    for difference in differences:
        if caller.form == "table":
            click.echo(difference)
    if differences:
        output.say("To do: `windlass db upgrade`, or write the migration that is missing.")
        raise click.exceptions.Exit(Exit.ERROR)
    output.say("The tables are as the code wants them.")
