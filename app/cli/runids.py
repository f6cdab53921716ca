"""Run ids as people type them: a unique beginning or ending of a recent one is enough."""

import re
from collections.abc import Callable
from functools import wraps

import click

from app.cli.context import Caller
from windlass import Client

WHOLE = re.compile(r"run_[0-9a-z]{26}")
RECENT = 100  # Only one page is looked through, so that this stays cheap.


def run_argument(command: Callable[..., object]) -> Callable[..., object]:
    """The argument RUN; the command gets the whole id as `run_id`."""

    @click.argument("run_id", metavar="RUN")
    @click.pass_context
    @wraps(command)
    def called(context: click.Context, /, *args: object, run_id: str, **kwargs: object) -> object:
        caller = context.ensure_object(Caller)
        caller.resource = f"run {run_id}"
        return context.invoke(command, *args, run_id=whole(caller.client, run_id), **kwargs)

    return called


def whole(client: Client, text: str) -> str:
    """The one recent run whose id begins or ends so; the text itself when there is none."""
    if WHOLE.fullmatch(text):
        return text
    recent = [run.id for run in client.runs.list(limit=RECENT)]
    if text in recent:
        return text
    found = [each for each in recent if each.startswith((text, f"run_{text}")) or each.endswith(text)]
    if len(found) > 1:
        raise click.UsageError(f"{text} is not unique: {', '.join(found[:5])}{' …' if found[5:] else ''}")
    return found[0] if found else text
