"""The control of failpoints: files in one folder, written by the campaign, read by every process of a site.

A failpoint is a name that a process passes, such as ``settle.after-commit``. An `Arm` says what shall happen
to a process that passes one, how often, and to whom. Each allowed time is a file of its own: who removes it
has won the right to act, so that two processes never act on the same one. What was done is appended to a log.

::

    folder/arms/ID.json     what to do
    folder/arms/ID.N        one time that is left
    folder/hits.jsonl       what was done: {"arm", "point", "action", "pid", "facts", "at"}
"""

import json
import os
import shutil
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

from tests.chaos.ledger import VARIABLE

FOLDER = "points"
ENDLESS = 0  # As often as it is passed.


@dataclass(frozen=True, kw_only=True)
class Arm:
    """What shall happen at a point."""

    point: str
    action: str  # kill, exit, freeze, raise, or an SQLSTATE for the points sql.statement and sql.commit.
    times: int = 1
    seconds: float = 0.0  # How long a freeze lasts.
    probability: float = 1.0
    seed: int = 0
    role: str = ""  # Only processes of this role: api, worker, reconciler.
    where: str = ""  # Only when this text is part of the facts.


@dataclass(frozen=True, kw_only=True)
class Hit:
    """An arm that struck."""

    arm: str  # What `Control.arm` returned.
    point: str
    action: str
    pid: int
    facts: str
    at: int  # Milliseconds since 1970.


class Control:
    """The folder, for who arms and for who passes."""

    def __init__(self, folder: Path) -> None:
        self._arms, self._hits = folder / "arms", folder / "hits.jsonl"

    def arm(self, arm: Arm) -> str:
        """From now on; returns what `disarm` takes."""
        self._arms.mkdir(parents=True, exist_ok=True)
        name = uuid4().hex
        for number in range(arm.times):
            (self._arms / f"{name}.{number}").touch()
        written = self._arms / f"{name}.new"
        written.write_text(json.dumps(asdict(arm)))
        written.rename(self._arms / f"{name}.json")
        return name

    def disarm(self, name: str) -> None:
        """No longer."""
        for path in self._arms.glob(f"{name}.*"):
            path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Disarm everything."""
        shutil.rmtree(self._arms, ignore_errors=True)

    def hits(self, name: str = "") -> list[Hit]:
        """What was done so far, by one arm or by all."""
        if not self._hits.exists():
            return []
        found = [Hit(**json.loads(line)) for line in self._hits.read_text().splitlines()]
        return [hit for hit in found if name in ("", hit.arm)]

    def stamp(self) -> int:
        """Changes when arms come or go."""
        with suppress(OSError):
            return os.stat(self._arms).st_mtime_ns
        return 0

    def armed(self) -> dict[str, Arm]:
        """Every arm by name."""
        found = {}
        for path in self._arms.glob("*.json"):
            with suppress(OSError):
                found[path.stem] = Arm(**json.loads(path.read_text()))
        return found

    def take(self, name: str, arm: Arm) -> bool:
        """Whether the caller may act on it now; each time is taken by one caller."""
        if arm.times == ENDLESS:
            return True
        for number in range(arm.times):
            with suppress(FileNotFoundError):
                os.unlink(self._arms / f"{name}.{number}")
                return True
        return False

    def note(self, name: str, arm: Arm, facts: str) -> None:
        """It is about to be done."""
        hit = Hit(
            arm=name,
            point=arm.point,
            action=arm.action,
            pid=os.getpid(),
            facts=facts,
            at=round(time.time() * 1000),
        )
        handle = os.open(self._hits, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(handle, (json.dumps(asdict(hit)) + "\n").encode())
        finally:
            os.close(handle)


class Passing:
    """What one process knows of the arms; it reads them again only when the folder has changed."""

    def __init__(self, control: Control, role: str) -> None:
        self._control, self._role = control, role
        self._stamp = -1
        self._arms: dict[str, Arm] = {}
        self._chances: dict[tuple[str, int], Random] = {}

    def due(self, point: str, facts: str) -> Arm | None:
        """The arm that shall be carried out here and now, noted down; None nearly always."""
        stamp = self._control.stamp()
        if stamp != self._stamp:
            self._stamp, self._arms = stamp, self._control.armed()
        here = [(name, arm) for name, arm in self._arms.items() if arm.point == point]
        for name, arm in here:
            if self._meant(arm, facts) and self._lucky(name, arm) and self._control.take(name, arm):
                self._control.note(name, arm, facts)
                return arm
        return None

    def _meant(self, arm: Arm, facts: str) -> bool:
        return arm.role in ("", self._role) and arm.where.lower() in facts.lower()

    def _lucky(self, name: str, arm: Arm) -> bool:
        # A forked process draws on its own, not what its parent drew.
        who = (name, os.getpid())
        chance = self._chances.setdefault(who, Random(f"{arm.seed}/{os.getpid()}"))
        return chance.random() < arm.probability


def here() -> Control:
    """The control of the site that this process belongs to."""
    return of(Path(os.environ[VARIABLE]).parent)


def of(site_folder: Path) -> Control:
    """The control of a site."""
    return Control(site_folder / FOLDER)


def facts_of(**facts: Any) -> str:
    """Facts about a passage as one text to search in."""
    return " ".join(f"{name}={value}" for name, value in facts.items())
