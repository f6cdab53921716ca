"""`windlass config`: the settings in force."""

from dataclasses import fields
from urllib.parse import urlsplit, urlunsplit

import click

from app.auth.secrets import REDACTED, looks_like_credential
from app.cli import columns
from app.cli.context import Caller, Noun, pass_caller
from app.config import ENVIRONMENT_NAMES, Settings, load


@click.group(cls=Noun)
def config() -> None:
    """Show the settings."""


@config.command()
@pass_caller
def show(caller: Caller) -> None:
    """Show every setting; of secrets only whether they are set."""
    settings = load()
    rows = [
        {"variable": variable(field.name), "value": shown(field.name, getattr(settings, field.name))}
        for field in fields(Settings)
    ]
    caller.show(rows, columns.SETTINGS)


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return ENVIRONMENT_NAMES.get(name, f"WINDLASS_{name.upper()}")


def shown(name: str, value: object) -> object:
    """The value without what must stay secret: keys, and passwords inside of URLs."""
    if value and isinstance(value, str) and (looks_like_credential(name) or name.endswith("_key")):
        return REDACTED
    if isinstance(value, str) and "://" in value:
        parts = urlsplit(value)
        if parts.password is not None:
            place = parts.netloc.rpartition("@")[2]
            return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:{REDACTED}@{place}"))
    return value
