"""Data on stdout as table, JSON or YAML; talk on stderr. Colours follow the terminal and NO_COLOR."""

import json
import sys
from collections.abc import Mapping
from typing import Any

import click
import yaml
from rich.console import Console
from rich.table import Table

from app.cli import tables
from app.cli.cells import utc_now

FORMATS = ("table", "wide", "json", "yaml")
WIDE = 2000  # Columns of a table that goes to a file or a pipe, or is wide: nothing is cut off there.


def emit(form: str, value: Any, columns: tables.Columns) -> None:
    """Print a list as rows, or an object as one line for each of its members that the columns name."""
    if form not in ("table", "wide"):
        click.echo(as_text(form, value), nl=False)
    elif isinstance(value, Mapping):
        _print(tables.sheet(value, columns), Console(file=sys.stdout).width if sys.stdout.isatty() else WIDE)
    else:
        fits = form == "table" and sys.stdout.isatty()
        width = Console(file=sys.stdout).width if fits else None
        _print(tables.rows(value, columns, width=width, now=utc_now()), width or WIDE)


def as_text(form: str, value: object) -> str:
    """The value as JSON or YAML, ending in a line feed."""
    if form == "yaml":
        return yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
    return json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n"


def one(form: str, value: object) -> str:
    """One item of an endless list: a line of JSON, or an item of YAML."""
    if form == "yaml":
        return as_text(form, [value]).rstrip("\n")
    return json.dumps(value, ensure_ascii=False, default=str)


def say(text: str) -> None:
    """Tell the operator something that is not data."""
    click.echo(text, err=True)


def _print(table: Table, width: int) -> None:
    console = Console(file=sys.stdout, width=width)
    with console.capture() as captured:
        console.print(table)
    # Rich fills every line up with blanks; a reader of a pipe wants none.
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))
