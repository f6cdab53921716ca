"""Data on stdout as table, JSON or YAML; talk on stderr. Colours follow the terminal and NO_COLOR."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click
import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

FORMATS = ("table", "json", "yaml")
WIDE = 400  # Columns of a table that goes to a file or a pipe: nothing is cut off there.

Columns = Sequence[tuple[str, str]]  # Title, and the path of the member: "waitingOn.kind".


def emit(form: str, value: Any, columns: Columns) -> None:
    """Print a list as rows, or an object as one line for each of its members that the columns name."""
    if form != "table":
        click.echo(as_text(form, value), nl=False)
    elif isinstance(value, Mapping):
        _print(_sheet(value, columns))
    else:
        _print(_rows(value, columns))


def as_text(form: str, value: Any) -> str:
    """The value as JSON or YAML, ending in a line feed."""
    if form == "yaml":
        return yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
    return json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n"


def one(form: str, value: Any) -> str:
    """One item of an endless list: a line of JSON, or an item of YAML."""
    if form == "yaml":
        return as_text(form, [value]).rstrip("\n")
    return json.dumps(value, ensure_ascii=False, default=str)


def say(text: str) -> None:
    """Tell the operator something that is not data."""
    click.echo(text, err=True)


def cell(value: Any) -> str:
    """One value as a short text, without characters that could steer a terminal."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(cell(each) for each in value)
    if isinstance(value, Mapping):
        return printable(json.dumps(value, ensure_ascii=False, default=str))
    return printable(str(value))


def printable(text: str) -> str:
    """The text with control characters replaced: what a BMC wrote must not steer a terminal."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "\ufffd" for letter in text)


def at(value: Any, path: str) -> Any:
    """The member at a dotted path, or None."""
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def duration(milliseconds: int | float | None) -> str:
    """`323000` as 5m23s, `45` as 45ms."""
    if milliseconds is None:
        return ""
    if milliseconds < 1000:
        return f"{milliseconds:.0f}ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:.1f}s"
    minutes, seconds = divmod(int(milliseconds / 1000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{seconds:02}s"


def _rows(value: Iterable[Any], columns: Columns) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for title, path in columns:
        table.add_column(title, no_wrap=path.lower().endswith("id"), overflow="fold")
    for row in value:
        table.add_row(*(Text(_member(row, path)) for _, path in columns))
    return table


def _sheet(value: Mapping[str, Any], columns: Columns) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for title, path in columns:
        if at(value, path) not in (None, [], {}):
            table.add_row(title, Text(_member(value, path)))
    return table


def _member(row: Any, path: str) -> str:
    value = at(row, path)
    return duration(value) if path.endswith("Ms") else cell(value)


def _print(table: Table) -> None:
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else WIDE)
    with console.capture() as captured:
        console.print(table)
    # Rich fills every line up with blanks; a reader of a pipe wants none.
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))
