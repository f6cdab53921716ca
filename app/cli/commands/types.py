"""`windlass type`: the catalogue of what can be started."""

from collections.abc import Mapping
from typing import Any

import click

from app.cli import columns
from app.cli.context import Caller, Noun, pass_caller


@click.group(cls=Noun)
def type_() -> None:
    """Show and pause workflow types."""


@type_.command("list")
@pass_caller
def list_(caller: Caller) -> None:
    """List all types."""
    caller.show([each.raw for each in caller.client.types.list()], columns.TYPES)
    caller.hint("windlass type show TYPE")


@type_.command()
@click.argument("name", metavar="TYPE")
@pass_caller
def show(caller: Caller, name: str) -> None:
    """Show a type, its input and its steps."""
    caller.resource = f"type {name}"
    found = caller.client.types.get(name).raw
    caller.show(found, columns.TYPE)
    if caller.form == "table":
        _show_input(caller, found.get("inputSchema") or {})
        click.echo("\nSteps")
        caller.show(found.get("steps", []), columns.PLANNED)
    caller.hint(f"windlass run start {name} --dry-run …")


@type_.command()
@click.argument("name", metavar="TYPE")
@click.option("--reason", required=True, help="Reason; shown to clients that are refused.")
@pass_caller
def pause(caller: Caller, name: str, reason: str) -> None:
    """Refuse new runs of TYPE; open runs continue."""
    caller.resource = f"type {name}"
    caller.show(caller.client.types.pause(name, reason=reason).raw, columns.TYPE)
    caller.hint(f"windlass type resume {name}")


@type_.command()
@click.argument("name", metavar="TYPE")
@click.option("--reason", help="Reason.")
@pass_caller
def resume(caller: Caller, name: str, reason: str | None) -> None:
    """Accept runs of TYPE again."""
    caller.resource = f"type {name}"
    caller.show(caller.client.types.resume(name, reason=reason).raw, columns.TYPE)


def _show_input(caller: Caller, schema: Mapping[str, Any]) -> None:
    """The members of an input as a table; all of the JSON Schema is for `-o json`."""
    members = schema.get("properties") or {}
    if not members:
        return
    click.echo("\nInput")
    required = schema.get("required") or ()
    caller.show([_member(name, said, name in required) for name, said in members.items()], columns.INPUT)


def _member(name: str, said: Mapping[str, Any], required: bool) -> dict[str, object]:
    kinds = said.get("type")
    allowed = said.get("enum") or [
        f"{word} {said[limit]}"
        for limit, word in (("minimum", "from"), ("maximum", "to"), ("maxLength", "up to"))
        if limit in said
    ]
    return {
        "name": name,
        "type": " or ".join(kinds) if isinstance(kinds, list) else kinds,
        "required": required or None,
        "allowed": [word for word in allowed if word is not None],
        "description": said.get("description"),
    }
