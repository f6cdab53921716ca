"""Copies of checkpoints, for people and for other programs; nothing here is ever read to decide.

Backends: files (`files`) and SurrealDB (`surreal`), an extra. Each keeps documents by batch and name:
``batch``, the definition, and ``cp-0001`` and so on, what completed since the checkpoint before.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from app.domain.json import JsonObject as Document
from app.providers.mirror.files import FileMirror
from app.providers.mirror.surreal import SurrealMirror

__all__ = ["FileMirror", "Mirror", "SurrealMirror", "mirror_of"]


class Mirror(Protocol):
    """Documents by batch and name; every call may raise `OSError`."""

    def write(self, batch_id: str, documents: Mapping[str, Document]) -> None:
        """Keep documents by their names, in place of those of these names; on the disk when this returns."""

    def read(self, batch_id: str, names: Sequence[str]) -> dict[str, Document]:
        """Those of these documents that there are."""


def mirror_of(backend: str, state: Path) -> Mirror:
    """The copies that a storage backend of batches keeps below the state folder."""
    return SurrealMirror(state / "surreal") if backend == "surrealdb" else FileMirror(state / "batches")
