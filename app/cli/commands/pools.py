"""`windlass pool`: sets of servers that provisioning takes from."""

from typing import Any

import click

from app.cli import columns, inputs, output
from app.cli.context import Caller, Noun, pass_caller

labels = click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="Repeatable.")


@click.group(cls=Noun)
def pool() -> None:
    """Manage pools of servers for provisioning."""


@pool.command("list")
@pass_caller
def list_(caller: Caller) -> None:
    """List pools with the number of free servers."""
    caller.show([each.raw for each in caller.client.pools.each()], columns.POOLS)


@pool.command()
@click.argument("pool_id", metavar="POOL")
@pass_caller
def get(caller: Caller, pool_id: str) -> None:
    """Show a pool."""
    caller.resource = f"pool {pool_id}"
    caller.show(caller.client.pools.get(pool_id).raw, columns.POOLS)


@pool.command()
@click.argument("name")
@labels
@pass_caller
def create(caller: Caller, name: str, labels: tuple[str, ...]) -> None:
    """Create a pool."""
    made = caller.client.pools.create(name, labels=_labels(labels))
    caller.show(made.raw, columns.POOLS)
    caller.hint(f"windlass server register --pool {made.id} …")


@pool.command()
@click.argument("pool_id", metavar="POOL")
@click.option("--name", help="New name.")
@labels
@pass_caller
def change(caller: Caller, pool_id: str, name: str | None, labels: tuple[str, ...]) -> None:
    """Rename a pool, or replace its labels."""
    caller.resource = f"pool {pool_id}"
    caller.show(caller.client.pools.update(pool_id, name=name, labels=_labels(labels)).raw, columns.POOLS)


@pool.command()
@click.argument("pool_id", metavar="POOL")
@pass_caller
def delete(caller: Caller, pool_id: str) -> None:
    """Remove a pool that has no servers."""
    caller.resource = f"pool {pool_id}"
    caller.confirm(f"Delete {pool_id}?")
    caller.client.pools.delete(pool_id)
    output.say(f"{pool_id} was deleted.")


def _labels(texts: tuple[str, ...]) -> dict[str, Any] | None:
    return {name: str(value) for name, value in inputs.pairs(texts, "--label").items()} or None
