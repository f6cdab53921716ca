"""Values from the command line: JSON texts, files, standard input."""

import json
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from app.cli.cells import utc_now
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


class JsonObject(click.ParamType[dict[str, object]]):
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


class Json(click.ParamType[object]):
    """Any JSON value, as ``@file`` or as ``-``; nothing is nothing."""

    name = "json"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(read(value))
        except ValueError as error:
            self.fail(f"is not JSON: {error}", param, ctx)


def value(text: str) -> object:
    """A text that is JSON as what it says, any other as it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def pairs(texts: tuple[str, ...], option: str) -> dict[str, object]:
    """`name=value` texts as an object; a value that is JSON is taken as such, anything else as text."""
    found: dict[str, object] = {}
    for text in texts:
        name, equals, said = text.partition("=")
        if not (name and equals):
            raise click.BadParameter(f"{text!r} must read name=value", param_hint=option)
        found[name] = value(said)
    return found


def members(texts: tuple[str, ...], option: str) -> dict[str, Any]:
    """The same, where dots in a name lead into objects: ``image.url=…`` is ``url`` of ``image``."""
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, said = text.partition("=")
        path = name.split(".")
        if not (equals and all(path)):
            problem = f"{text!r} must read name=value, or outer.inner=value"
            raise click.BadParameter(problem, param_hint=option)
        inner = found
        for part in path[:-1]:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                problem = f"{text!r}: {part} has a value of its own already"
                raise click.BadParameter(problem, param_hint=option)
        inner[path[-1]] = value(said)
    return found


def joined(given: Mapping[str, object], more: Mapping[str, object]) -> dict[str, object]:
    """Both objects as one, member by member however deep; of two values the later one counts."""
    made = dict(given)
    for name, said in more.items():
        before = made.get(name)
        if isinstance(before, Mapping) and isinstance(said, Mapping):
            made[name] = joined(before, said)
        else:
            made[name] = said
    return made


class Moment(click.ParamType[str]):
    """A date, a time, a duration ago such as 1h, or now, today, yesterday; inside an RFC 3339 text."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text, now = str(value).strip(), utc_now()
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        words = {"now": now, "today": midnight, "yesterday": midnight - timedelta(days=1)}
        if text in words:
            return words[text].isoformat()
        if text[:4].isdecimal() and "-" in text:
            return text  # A date or a time, which the service reads.
        try:
            ago = duration_ms(text.removesuffix("ago").strip())
        except ValueError:
            problem = f"{text!r} is no date or time, no duration such as 1h30m, and not today or yesterday"
            self.fail(problem, param, ctx)
        return (now - timedelta(milliseconds=ago)).isoformat()
