"""Copies of checkpoints as files, for people and for other programs; nothing here is ever read to decide.

STATE/batches/BATCH/batch.json       the definition
STATE/batches/BATCH/cp-0001.json     what completed since the checkpoint before
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class FileMirror:
    """The folder of all batches."""

    folder: Path

    def write(self, batch_id: str, name: str, document: Mapping[str, Any]) -> None:
        """Write one document: beside, to the disk, then into its place; raises `OSError`."""
        home = self.folder / batch_id
        home.mkdir(parents=True, exist_ok=True)
        beside = home / f".{name}.{os.getpid()}"
        with beside.open("w") as file:
            json.dump(document, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(home / f"{name}.json")

    def has(self, batch_id: str, name: str) -> bool:
        """Whether a document is there."""
        return (self.folder / batch_id / f"{name}.json").exists()
