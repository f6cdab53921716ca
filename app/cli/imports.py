"""Machines to register, from a JSON list as the API takes it or from a CSV table.

The header of the table names the members: displayName, protocol, bmcAddress, username, password, bootMac,
poolId, persona, description, tags (several with ``;``). Empty cells count as not given.
"""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

TEXTS = frozenset({"displayName", "description", "username", "password"})  # Kept with their blanks.


def read(file: Path) -> list[dict[str, object]]:
    """The registrations in a file, one for each machine; raises `click.BadParameter` and names the line."""
    try:
        text = file.read_bytes().decode("utf-8-sig")  # Line breaks within quotes stay what they are.
    except (OSError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{file} cannot be read: {error}") from error
    return _json(text) if file.suffix.lower() == ".json" else _csv(text)


def _json(text: str) -> list[dict[str, object]]:
    try:
        items = json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"is not JSON: {error}") from error
    if not (isinstance(items, list) and all(isinstance(item, dict) for item in items)):
        raise click.BadParameter("Must be a list of objects")
    return items


def _csv(text: str) -> list[dict[str, object]]:
    header = text.partition("\n")[0]
    if "," not in header and (";" in header or "\t" in header):
        raise click.BadParameter("The table separates its cells by something else: separate them by commas")
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        return [
            _registration(row, rows.line_num) for row in rows if any(_filled(cell) for cell in row.values())
        ]
    except csv.Error as error:
        raise click.BadParameter(f"line {rows.line_num} is not CSV: {error}") from error


def _filled(cell: Any) -> bool:
    """Whether a cell, or one beyond the header, holds anything; spreadsheets save empty rows."""
    return any(part.strip() for part in (cell if isinstance(cell, list) else [cell or ""]))


def _registration(row: Mapping[str | None, Any], line: int) -> dict[str, Any]:
    if any(part.strip() for part in row.get(None) or ()):
        raise click.BadParameter(f"line {line} has more cells than the header")
    cells = {
        str(name).strip(): value
        for name, value in row.items()
        if name is not None and value and value.strip()
    }
    given = {name: value if name in TEXTS else value.strip() for name, value in cells.items()}
    credential = {name: given.pop(name) for name in ("username", "password") if name in given}
    values: dict[str, Any] = {**given, **({"bmcCredential": credential} if credential else {})}
    if "tags" in values:
        values["tags"] = [tag.strip() for tag in values["tags"].split(";") if tag.strip()]
    return values
