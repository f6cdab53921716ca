"""`windlass view`: filters of the list of runs that one has given a name."""

import click

from app.cli import columns, output
from app.cli.context import Caller, Noun, pass_caller


@click.group(cls=Noun)
def view() -> None:
    """Keep filters of the list of runs under names."""


@view.command("list")
@pass_caller
def list_(caller: Caller) -> None:
    """List your saved views."""
    caller.show([each.raw for each in caller.client.views.list()], columns.VIEWS)


@view.command()
@click.argument("name")
@click.argument("query")
@pass_caller
def save(caller: Caller, name: str, query: str) -> None:
    """Save QUERY, what follows the question mark in the address of the console's page of runs."""
    caller.show(caller.client.views.save(name, query).raw, columns.VIEW)


@view.command()
@click.argument("view_id", metavar="VIEW")
@pass_caller
def delete(caller: Caller, view_id: str) -> None:
    """Delete a view of yours."""
    caller.resource = f"view {view_id}"
    caller.client.views.delete(view_id)
    output.say(f"{view_id} was deleted.")
