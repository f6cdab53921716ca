"""`windlass openapi`: the description of the HTTP API, and whether the one in the tree is still true."""

from pathlib import Path

import click

from app.api.application import build
from app.api.http.openapi import document
from app.cli import output
from app.cli.context import Caller, Verb, pass_caller
from app.cli.exits import Exit

SNAPSHOT = Path(__file__).parents[3] / "docs" / "openapi.json"


@click.command(cls=Verb)
@click.option("--check", is_flag=True, help="Compare with docs/openapi.json; exit status 1 when they differ.")
@click.option("--write", is_flag=True, help="Replace docs/openapi.json.")
@pass_caller
def openapi(caller: Caller, check: bool, write: bool) -> None:
    """Print the OpenAPI 3.1 document."""
    described = document(build())
    text = output.as_text("json", described)
    if write:
        SNAPSHOT.write_text(text)
    elif not check:
        click.echo(text if caller.form != "yaml" else output.as_text("yaml", described), nl=False)
    elif not SNAPSHOT.exists() or SNAPSHOT.read_text() != text:
        output.say("docs/openapi.json is not what the API offers.")
        output.say("To do: `windlass openapi --write`, then review the difference.")
        raise click.exceptions.Exit(Exit.ERROR)
