"""`windlass lock`: who holds which resource."""

import click

from app.cli import columns, output
from app.cli.context import Caller, Noun, pass_caller


@click.group(cls=Noun)
def lock() -> None:
    """List and release resource locks."""


@lock.command("list")
@click.option("--resource", help="Only this resource, for example server/srv_….")
@pass_caller
def list_(caller: Caller, resource: str | None) -> None:
    """List locks, their holders and the runs that wait."""
    caller.show([each.raw for each in caller.client.locks.list(resource=resource)], columns.LOCKS)


@lock.command()
@click.argument("resource")
@click.option("--reason", required=True, help="Reason; written into the log of the run that held the lock.")
@pass_caller
def release(caller: Caller, resource: str, reason: str) -> None:
    """Release the lock on RESOURCE although its run still holds it; requires the scope admin."""
    caller.resource = resource
    caller.confirm(f"Release {resource}? Its run may still be at work there.")
    caller.client.locks.release(resource, reason=reason)
    output.say(f"{resource} was released.")
