"""`windlass key` and `windlass secrets`: straight on the database, since the first key opens the API."""

from datetime import UTC, datetime
from typing import Any

import click

from app.auth.keys import SCOPES
from app.cli import columns, output
from app.cli.cells import utc_now
from app.cli.context import Caller, Noun, pass_caller
from app.cli.direct import world
from app.services import keys, signing_secrets
from app.services import secrets as sealed


@click.group(cls=Noun)
def key() -> None:
    """Manage API keys, directly in the database."""


@key.command()
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice(SCOPES), required=True, help="Repeatable."
)
@click.option("--expires", type=click.DateTime(), help="Time when the key expires, in UTC; never by default.")
@pass_caller
def create(caller: Caller, name: str, scopes: tuple[str, ...], expires: datetime | None) -> None:
    """Create a key called NAME; its token is shown only once."""
    until = None if expires is None else int(expires.replace(tzinfo=UTC).timestamp() * 1000)
    row, token, callback_secret = keys.create(world(), name, scopes, until)
    caller.show({**_shown(row), "token": token, "callbackSecret": callback_secret}, columns.NEW_KEY)
    output.say("Keep the token, and the secret that signs callbacks of its runs: they are not shown again.")
    caller.hint(f"WINDLASS_API_KEY={token[:12]}… windlass run list")


@key.command("list")
@pass_caller
def list_(caller: Caller) -> None:
    """List keys, without their tokens."""
    caller.show([_shown(row) for row in keys.list_(world())], columns.KEYS)


@key.command()
@click.argument("name")
@pass_caller
def revoke(caller: Caller, name: str) -> None:
    """Revoke the key called NAME."""
    caller.resource = f"key {name}"
    caller.confirm(f"Revoke {name}?")
    keys.revoke(world(), name)
    output.say(f"The key {name} is revoked.")


@click.group(cls=Noun)
def secrets() -> None:
    """Manage sealed credentials."""


@secrets.command()
def callback() -> None:
    """Show the secret that signs callbacks of runs started without a key."""
    click.echo(signing_secrets.local_secret(world()))


@secrets.command()
def rotate() -> None:
    """Add a sealing key and seal every credential with it."""
    output.say(f"{sealed.rotate(world())} credentials were sealed anew.")


def _shown(row: Any) -> dict[str, object]:
    """A key as people and programs read it, never its hash."""
    return keys.key_object(row, round(utc_now().timestamp() * 1000))
