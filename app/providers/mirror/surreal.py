"""Copies of checkpoints in SurrealDB: ``surrealkv://STATE/surreal``, namespace windlass, database batch.

Two processes that have one path open do not see each other, and a handle that came through a fork hangs. So
each call is a process of its own that opens, writes and closes under a lock.
"""

import fcntl
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import cast

from app.domain.json import JsonObject

CHILD = Path(__file__).with_name("surreal_child.py")
PYTHON = sys.executable
PATIENCE_S = 30.0
ERROR_CHARS = 500  # Characters of an error that are kept.


def installed() -> bool:
    """Whether the extra is there."""
    return find_spec("surrealdb") is not None


@dataclass(frozen=True)
class SurrealMirror:
    """The database in a folder; each document is a record of the table checkpoint."""

    folder: Path

    def write(self, batch_id: str, documents: Mapping[str, JsonObject]) -> None:
        """Keep documents by their names; raises `OSError`."""
        self._ask({"batch": batch_id, "write": documents})

    def read(self, batch_id: str, names: Sequence[str]) -> dict[str, JsonObject]:
        """Those that there are; raises `OSError`."""
        return self._ask({"batch": batch_id, "read": list(names)})

    def _ask(self, order: Mapping[str, object]) -> dict[str, JsonObject]:
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with self.folder.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                ran = subprocess.run(
                    [PYTHON, "-I", str(CHILD), f"surrealkv://{self.folder}"],
                    input=json.dumps(order).encode(),
                    capture_output=True,
                    timeout=PATIENCE_S,
                    check=False,
                    env={"SURREAL_SYNC_DATA": "true"},
                )
            except subprocess.TimeoutExpired:
                raise OSError(0, f"SurrealDB did not answer within {PATIENCE_S:g} s") from None
        if ran.returncode:
            said = ran.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            said = said[-ERROR_CHARS:] or f"its process ended with {ran.returncode}"
            raise OSError(0, f"SurrealDB: {said}")
        return cast("dict[str, JsonObject]", json.loads(ran.stdout))
