"""`windlass search` and `windlass about`: the service as a whole."""

import click

from app.cli import operating_columns
from app.cli.context import Caller, Verb, pass_caller


@click.command(cls=Verb)
@click.argument("text")
@click.option("--limit", type=click.IntRange(1, 50), default=20, show_default=True, help="Number of rows.")
@pass_caller
def search(caller: Caller, text: str, limit: int) -> None:
    """Find what TEXT may mean: runs by a part of their id, resources by name, serial number or address."""
    caller.show([hit.raw for hit in caller.client.service.search(text, limit=limit)], operating_columns.HITS)


@click.command(cls=Verb)
@pass_caller
def about(caller: Caller) -> None:
    """Show the release of the service, its schema and how long it keeps things."""
    caller.show(caller.client.service.about(), operating_columns.ABOUT)
