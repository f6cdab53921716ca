"""`windlass db`: the database's tables."""

from pathlib import Path
from tempfile import TemporaryDirectory

import click

from app.cli import output
from app.cli.commands import dbcopies
from app.cli.context import Caller, Noun, pass_caller
from app.cli.direct import check_reachable, missing
from app.cli.exits import Exit
from app.config import load
from app.record import migrate
from app.record.session import Database


@click.group(cls=Noun)
def db() -> None:
    """Manage the database schema."""


@db.command()
@click.option("--lab", is_flag=True, help="Register the accounts of the lab's clouds, too.")
def upgrade(lab: bool) -> None:
    """Upgrade the database schema to the newest revision."""
    settings = load()
    if not missing(settings):
        check_reachable(Database(settings.database))
    migrate.upgrade(settings.database)
    if lab:
        from app.host import lab_accounts  # Here and not above: it loads the lab.

        lab_accounts.register(settings)
    output.say("The tables are at the newest revision.")


@db.command()
@click.option("--models", is_flag=True, help="Compare only migrations and code, in a temporary database.")
@pass_caller
def check(caller: Caller, models: bool) -> None:
    """Compare the tables with what the code wants; exit status 1 when they differ.

    Without a database yet, it is the migrations that are compared with the code.
    """
    settings = load()
    differences = _fresh() if models or missing(settings) else _compared(settings.database)
    if caller.form != "table":
        caller.show(differences, ())
    elif differences:
        click.echo("\n".join(differences))
    if differences:
        output.say("To do: `windlass db upgrade`, or write the migration that is missing.")
        raise click.exceptions.Exit(Exit.ERROR)
    output.say("The tables are as the code wants them.")


@db.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
def copy(source: str, target: str) -> None:
    """Copy all rows from the database FROM to the empty database TO, of the same kind or not.

    Both are URLs as in DATABASE_URL. The service has to be stopped meanwhile.
    """
    dbcopies.copy(source, target)


@db.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def backup(file: Path) -> None:
    """Write all rows, in one state, into the SQLite file FILE; the service may go on."""
    dbcopies.backup(file)


@db.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--check", "only", is_flag=True, help="Check whether FILE can be restored; change nothing.")
def restore(file: Path, only: bool) -> None:
    """Copy what `backup` wrote to FILE into the database in force, which must be empty."""
    dbcopies.check(file) if only else dbcopies.restore(file)


def _compared(url: str) -> list[str]:
    """What differs in the database in force; raises `Unavailable` when it does not answer."""
    check_reachable(Database(url))
    return migrate.check(url)


def _fresh() -> list[str]:
    """What the migrations leave different in a new database."""
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/windlass.db"
        migrate.upgrade(url)
        return migrate.check(url)
