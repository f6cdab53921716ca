"""`windlass completion`: the script that teaches a shell our commands."""

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script for SHELL; put it where your shell looks, or `eval` it."""
    kind = get_completion_class(shell)
    assert kind is not None  # Click brings all three.
    click.echo(kind(context.find_root().command, {}, "windlass", "_WINDLASS_COMPLETE").source())
