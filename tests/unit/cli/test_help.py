"""Every help has an example that works, and no sentence of it is cut off."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from app.cli import examples
from app.cli.main import TARGETS, cli

OTHERS = ("app", "world")  # They have their own pages.


def verbs(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command that does something, as the words that one types."""
    if not isinstance(command, click.Group):
        yield path
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        if found is not None and (path or name not in OTHERS):
            yield from verbs(found, (*path, name))


def parsed(line: str) -> None:
    """Parse a command line without running it."""
    args = shlex.split(line)[1:]
    context = cli.make_context("windlass", args)
    command: click.Command = cli
    while isinstance(command, click.Group):
        rest = [*context._protected_args, *context.args]
        name, found, rest = command.resolve_command(context, rest)
        assert found is not None
        context, command = found.make_context(name, rest, parent=context), found


def test_every_command_has_an_example_that_parses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("fra.yaml", "machines.csv", "web.ncl"):
        (tmp_path / name).write_text("a: 1")
    monkeypatch.setenv("WINDLASS_BMC_PASSWORD", "x")
    commands = [" ".join(path) for path in verbs(cli)]

    assert [command for command in commands if not examples.of(command)] == []
    for command in commands:
        for line in examples.of(command):
            parsed(line.replace("/backup/windlass.db", "fra.yaml"))


@pytest.mark.parametrize("noun", [name for name in TARGETS if name not in OTHERS])
def test_no_sentence_of_a_help_is_cut_off(noun: str) -> None:
    shown = CliRunner().invoke(cli, [noun, "--help"], terminal_width=80).output

    assert "...\n" not in shown.replace("]...\n", "]\n")


def test_a_help_shows_its_examples() -> None:
    shown = CliRunner().invoke(cli, ["run", "retry", "--help"]).output

    assert "  windlass run retry 8r0t1v2w --from boot-from --wait\n" in shown
