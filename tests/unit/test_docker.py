"""The container files speak of commands, options and variables that exist."""

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from app.cli.main import cli
from app.config import ENVIRONMENT_NAMES, Settings

DOCKER = Path(__file__).parents[2] / "docker"
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())
OURS = {name: each for name, each in COMPOSE["services"].items() if each["image"].startswith("windlass:")}
DOCKERFILE = (DOCKER / "Dockerfile").read_text()
KNOWN = {ENVIRONMENT_NAMES.get(field.name, f"WINDLASS_{field.name.upper()}") for field in fields(Settings)}
OTHERS = {"PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "REMAP_SIGTERM"}


def resolve(words: list[str]) -> click.Command:
    """The command that the words reach, its options checked on the way."""
    command: click.Command = cli
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word.startswith("-"):
            option = next((p for p in command.params if word in (*p.opts, *p.secondary_opts)), None)
            assert isinstance(option, click.Option), f"{command.name} has no option {word}"
            rest = rest if option.is_flag else rest[1:]
            continue
        assert isinstance(command, click.Group), f"{command.name} has no subcommands"
        found = command.get_command(click.Context(command), word)
        assert found is not None, f"there is no command {word}"
        command = found
    return command


def instructions(kind: str) -> list[str]:
    """What follows the instruction in the Dockerfile, continued lines joined."""
    joined = DOCKERFILE.replace("\\\n", " ")
    return re.findall(rf"^{kind} (.*)$", joined, flags=re.MULTILINE)


@pytest.mark.parametrize("service", OURS)
def test_every_service_runs_a_command_that_exists(service: str) -> None:
    assert resolve(OURS[service]["command"]).callback is not None


def test_a_command_that_does_not_exist_would_be_found() -> None:
    with pytest.raises(AssertionError, match="no command"):
        resolve(["nonsense"])


@pytest.mark.parametrize("service", OURS)
def test_every_variable_of_a_service_is_a_setting(service: str) -> None:
    names = {name.removesuffix("_FILE") for name in OURS[service]["environment"]}
    assert names <= KNOWN


def test_every_variable_of_the_image_is_known() -> None:
    names = {name for line in instructions("ENV") for name in re.findall(r"(\w+)=", line)}
    assert names <= KNOWN | OTHERS


@pytest.mark.parametrize("kind", ["RUN", "ENTRYPOINT", "CMD"])
def test_the_image_uses_the_exec_form(kind: str) -> None:
    assert all(isinstance(json.loads(line), list) for line in instructions(kind))


def test_the_image_starts_a_command_that_exists_as_an_ordinary_user() -> None:
    assert resolve(json.loads(instructions("CMD")[-1])).callback is not None
    assert instructions("USER") == ["10001:10001"]


@pytest.mark.parametrize("service", OURS)
def test_every_service_has_a_read_only_root_and_no_capabilities(service: str) -> None:
    assert (OURS[service]["read_only"], OURS[service]["cap_drop"]) == (True, ["ALL"])


def test_a_worker_gets_longer_to_stop_than_its_steps() -> None:
    grace = int(OURS["worker"]["stop_grace_period"].removesuffix("s"))
    assert grace > Settings().soft_shutdown_s + 10


def test_only_who_talks_to_machines_holds_the_private_key() -> None:
    holders = {name for name, each in OURS.items() if "sealing_private_key" in each["secrets"]}
    assert holders == {"worker", "projector"}
