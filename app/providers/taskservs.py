"""Taskservs: folders with scripts that say whether something is on a server, put it there, and take it away.

NAME/taskserv.yaml      requires: [containerd], version, timeout_seconds
NAME/check.sh           exits with 0 and prints the version when it is there, with 1 when it is not
NAME/install.sh
NAME/remove.sh
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from app.domain.errors import Permanent

FOLDER = "WINDLASS_TASKSERV_DIR"


class UnknownTaskserv(Permanent):
    """The taskserv does not exist."""

    code = "UNKNOWN_TASKSERV"
    nothing_happened = True


@dataclass(frozen=True, kw_only=True)
class Taskserv:
    """One taskserv."""

    name: str
    requires: tuple[str, ...]
    version: str
    check: str
    install: str
    remove: str


def read(folder: Path, name: str) -> Taskserv:
    """The taskserv of this name; raises `UnknownTaskserv`."""
    home = folder / name
    if "/" in name or not (home / "taskserv.yaml").is_file():
        known = names(folder)
        said = f"known are {', '.join(known)}" if known else f"{FOLDER} names a folder without any"
        raise UnknownTaskserv(f"There is no taskserv {name}; {said}")
    facts = yaml.safe_load((home / "taskserv.yaml").read_text()) or {}
    return Taskserv(
        name=name,
        requires=tuple(facts.get("requires") or ()),
        version=str(facts.get("version") or ""),
        check=(home / "check.sh").read_text(),
        install=(home / "install.sh").read_text(),
        remove=(home / "remove.sh").read_text(),
    )


def names(folder: Path) -> list[str]:
    """The names of all taskservs."""
    return sorted(found.parent.name for found in folder.glob("*/taskserv.yaml"))


def in_order(folder: Path, wanted: Iterable[str]) -> Sequence[str]:
    """These taskservs, each after those of them that it requires; else in the order of their names."""
    left = sorted(set(wanted))
    requires = {name: set(read(folder, name).requires) & set(left) for name in left}
    ordered: list[str] = []
    while left:
        free = [name for name in left if requires[name] <= set(ordered)]
        chosen = free[0] if free else left[0]  # Taskservs that require one another have no order.
        ordered.append(chosen)
        left.remove(chosen)
    return ordered
