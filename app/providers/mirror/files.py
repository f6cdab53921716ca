"""Copies of checkpoints as files.

STATE/batches/BATCH/batch.json       the definition
STATE/batches/BATCH/cp-0001.json     what completed since the checkpoint before
"""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from app.domain.json import JsonObject


@dataclass(frozen=True)
class FileMirror:
    """The folder of all batches."""

    folder: Path

    def write(self, batch_id: str, documents: Mapping[str, JsonObject]) -> None:
        """Write each document: beside, to the disk, then into its place; raises `OSError`."""
        home = self.folder / batch_id
        home.mkdir(parents=True, exist_ok=True)
        for name, document in documents.items():
            beside = home / f".{name}.{os.getpid()}"
            with beside.open("w") as file:
                json.dump(document, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            beside.rename(home / f"{name}.json")

    def read(self, batch_id: str, names: Sequence[str]) -> dict[str, JsonObject]:
        """Those that there are; raises `OSError`. What is no JSON is shown as an empty document."""
        found: dict[str, JsonObject] = {}
        for name in names:
            with suppress(FileNotFoundError):
                text = (self.folder / batch_id / f"{name}.json").read_text(errors="replace")
                try:
                    found[name] = json.loads(text)
                except ValueError:
                    found[name] = {}
        return found
