"""Values from the command line: JSON texts, files, standard input."""

import json
import sys
from pathlib import Path
from typing import Any

import click


def read(text: str) -> str:
    """The text itself, the file behind ``@name``, or standard input for ``-``."""
    if text == "-":
        return sys.stdin.read()
    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{text[1:]} cannot be read: {error}") from error


class JsonObject(click.ParamType[dict[str, Any]]):
    """An object as JSON, as ``@file`` or as ``-``."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        try:
            found = json.loads(read(value))
        except ValueError as error:
            self.fail(f"is not JSON: {error}", param, ctx)
        if not isinstance(found, dict):
            self.fail("must be a JSON object", param, ctx)
        return found


def pairs(texts: tuple[str, ...], option: str) -> dict[str, Any]:
    """`name=value` texts as an object; a value that is JSON is taken as such, anything else as text."""
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise click.BadParameter(f"{text!r} must read name=value", param_hint=option)
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found
