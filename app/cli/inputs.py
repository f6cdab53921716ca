"""Values from the command line: JSON texts, files, standard input."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from app.domain.clock import duration_ms


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
    kinds: tuple[type, ...] = (dict,)
    says = "must be a JSON object"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, self.kinds):
            return value
        try:
            found = json.loads(read(value))
        except ValueError as error:
            self.fail(f"is not JSON: {error}", param, ctx)
        if not isinstance(found, self.kinds):
            self.fail(self.says, param, ctx)
        return found


class JsonInput(JsonObject):
    """What a run is given: an object, or a list of arguments for a code workflow."""

    kinds = (dict, list)
    says = "must be a JSON object or a list"


class Duration(click.ParamType[int]):
    """A duration such as 90s, 10m or 1h30m, in milliseconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return duration_ms(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Json(click.ParamType[Any]):
    """Any JSON value, as ``@file`` or as ``-``; nothing is nothing."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(read(value))
        except ValueError as error:
            self.fail(f"is not JSON: {error}", param, ctx)


def value(text: str) -> Any:
    """A text that is JSON as what it says, any other as it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def pairs(texts: tuple[str, ...], option: str) -> dict[str, Any]:
    """`name=value` texts as an object; a value that is JSON is taken as such, anything else as text."""
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, said = text.partition("=")
        if not (name and equals):
            raise click.BadParameter(f"{text!r} must read name=value", param_hint=option)
        found[name] = value(said)
    return found
