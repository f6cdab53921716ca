"""Definitions of batches in files: Nickel goes to the service as text, or is evaluated here if it must be."""

import json
import re
from pathlib import Path

import click

from app.nickel.evaluate import evaluate

OURS = "schemas/workflows.ncl"
_IMPORT = re.compile(r'\bimport\s+"((?:[^"\\]|\\.)*)"')
Definition = str | dict[str, object]


def read(path: Path) -> tuple[Definition, str | None]:
    """A definition for the client, and the text it was made from where that is not the definition itself.

    A program that imports other files than our schema is evaluated here, with its own folder readable: the
    service has none of its files.
    """
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        return _inner(_json(text, path), path), None
    if all(name == OURS for name in _IMPORT.findall(text)):
        return text, None
    return _inner(evaluate(text, [path.parent]), path), text


def _json(text: str, path: Path) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise click.UsageError(f"{path} is not JSON: {error}") from error


def _inner(found: object, path: Path) -> dict[str, object]:
    inner = found.get("batch_workflow", found) if isinstance(found, dict) else None
    if not isinstance(inner, dict):
        raise click.UsageError(f"{path} holds no definition: a record with batch_workflow is expected")
    return inner
