"""`windlass config`: the settings in force."""

import click

from app.cli import columns
from app.cli.context import Caller, Noun, pass_caller
from app.config import load
from app.services.about import settings_shown


@click.group(cls=Noun)
def config() -> None:
    """Show the settings."""


@config.command()
@pass_caller
def show(caller: Caller) -> None:
    """Show every setting; of secrets only whether they are set."""
    caller.show(settings_shown(load()), columns.SETTINGS)
