"""The outside witness: every effect that a step of the workload had, in the order they happened.

Each is one line.

An effect is one `write` to a file that was opened for appending: the operating system keeps the order,
nothing is torn when the writer is killed, and no server has to be reachable. The machines of the lab keep a
ledger of their own (`app.lab.ledger`), which is read beside this one.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

LEDGER = "effects.jsonl"
VARIABLE = "CHAOS_LEDGER"


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One thing that happened outside."""

    operation: str  # The idempotency key of the step: run/phase/step.
    effect: (
        str  # "did" of a forward step, "undid" of its undo, "died" before a step killed its own process, …
    )
    fence: int
    attempt: int
    pid: int
    value: Any = None

    @property
    def run_id(self) -> str:
        """Whose effect it is."""
        return self.operation.split("/")[0]

    @property
    def phase(self) -> str:
        """Forward or comp."""
        return self.operation.split("/")[1]

    @property
    def step(self) -> str:
        """The key of the step."""
        return self.operation.split("/", 2)[2]


class Ledger:
    """The file, for who writes and for who judges."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, effect: Effect) -> None:
        """An effect happens now."""
        line = json.dumps(asdict(effect), separators=(",", ":")) + "\n"
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)

    def read(self) -> Iterator[Effect]:
        """All effects, oldest first."""
        for line in self._lines():
            yield Effect(**json.loads(line))

    def of(self, operation: str) -> list[Effect]:
        """The effects of one operation, oldest first."""
        mark = f'"{operation}"'.encode()
        return [Effect(**json.loads(line)) for line in self._lines() if mark in line]

    def of_run(self, run_id: str) -> list[Effect]:
        """The effects of one run, oldest first."""
        mark = f'"{run_id}/'.encode()
        return [Effect(**json.loads(line)) for line in self._lines() if mark in line]

    def since(self, place: int) -> tuple[list[Effect], int]:
        """The effects after a place in the file, and the place after them."""
        if not self.path.exists():
            return [], place
        with self.path.open("rb") as file:
            file.seek(place)
            lines = file.read().splitlines(keepends=True)
        whole = [line for line in lines if line.endswith(b"\n")]
        return [Effect(**json.loads(line)) for line in whole], place + sum(map(len, whole))

    def _lines(self) -> list[bytes]:
        return self.path.read_bytes().splitlines() if self.path.exists() else []


def here() -> Ledger:
    """The ledger of the site that this process belongs to."""
    return Ledger(Path(os.environ[VARIABLE]))
