"""Plants a bug: a copy of the product's code in which one line is another one.

The product knows nothing of this. A bug is data; the service, or a test, is then run from the copy.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
PRODUCT = ("app", "chains", "migrations", "tasks", "windlass")
TESTED = ("tests", "setup.cfg", "pyproject.toml")  # What pytest needs besides.


@dataclass(frozen=True, kw_only=True)
class Bug:
    """One line of the product that is exchanged for a wrong one."""

    name: str
    file: str
    old: str  # The whole line, with its indentation.
    new: str
    within: str = ""  # Beginning of the definition that it stands in, where it stands in others too.
    breaks: str  # What goes wrong because of it.
    scenario: str  # The smallest scenario that shows it, by its name in `scenarios`.
    caught_by: str  # The invariant that must name it.


class NotThere(Exception):
    """The line that a bug exchanges does not stand in the code exactly once."""


def line_of(bug: Bug, root: Path = ROOT) -> int:
    """The number of the line that the bug exchanges; raises `NotThere`."""
    lines = (root / bug.file).read_text().splitlines()
    found = [number for number, line in _within(bug, lines) if line == bug.old]
    if len(found) != 1:
        raise NotThere(f"{bug.name}: the line stands in {bug.file} {len(found)} times: {bug.old.strip()}")
    return found[0]


def _within(bug: Bug, lines: list[str]) -> Iterator[tuple[int, str]]:
    """The numbered lines among which the bug's line is searched."""
    deepest = -1 if bug.within else 0  # Indentation of the definition that we are in.
    for number, line in enumerate(lines, 1):
        text = line.lstrip()
        depth = len(line) - len(text)
        if text.startswith(bug.within) and bug.within:
            deepest = depth
        elif text and depth <= deepest and bug.within and text[0] != ")":
            deepest = -1
        if deepest >= 0:
            yield number, line


def copied(folder: Path, *parts: str, root: Path = ROOT) -> Path:
    """Copy files and folders of the checkout, without what was compiled; returns the copy's root."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in parts:
        source, copy = root / part, folder / part
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy)
    return folder


def planted(bug: Bug, folder: Path, *parts: str) -> Path:
    """A copy of the product, and of further parts, with the bug in it."""
    tree = copied(folder, *PRODUCT, *parts)
    number, file = line_of(bug, tree), tree / bug.file
    lines = file.read_text().splitlines(keepends=True)
    lines[number - 1] = f"{bug.new}\n"
    file.write_text("".join(lines))
    return tree
