"""The file by which a server survives a restart: a line of JSON for each write."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from app.lab.kube.kinds import CRDS, Kind, Kinds
from app.lab.kube.store import DELETED, Event, Key, Store


class Journal:
    """Restores a store from the file, then appends each write to it.

    Each line is handed to the operating system before anybody is told of the write, so a killed server loses
    nothing. What happened before is not kept, only what is left of it.
    """

    def __init__(self, path: Path, store: Store, kinds: Kinds) -> None:
        self._path = path
        left = {(kind, key): raw for kind, key, raw in _lines(path)}
        # Definitions first: they tell which kinds there are.
        for (name, key), raw in sorted(left.items(), key=lambda one: one[0][0] != CRDS.id):
            if raw is None:
                continue
            if name == CRDS.id:
                kinds.add(Kind.of_crd(json.loads(raw)))
            kind = next((one for one in kinds if one.id == name), None)
            if kind:
                store.restore(kind, key, json.loads(raw))
        self._file = self._begun(store, kinds)
        store.listeners.append(self._heard)

    def close(self) -> None:
        self._file.close()

    def _begun(self, store: Store, kinds: Kinds) -> TextIO:
        """The file anew, with nothing but what is there."""
        fresh = self._path.with_suffix(".new")
        file = fresh.open("w", encoding="utf-8")
        for kind in kinds:
            for record in store.records(kind):
                file.write(_line(kind, record.key, record.raw))
        file.flush()
        fresh.replace(self._path)
        return file

    def _heard(self, kind: Kind, event: Event) -> None:
        raw = None if event.type == DELETED else event.record.raw
        self._file.write(_line(kind, event.record.key, raw))
        self._file.flush()


def _line(kind: Kind, key: Key, raw: bytes | None) -> str:
    return json.dumps([kind.id, *key, raw.decode() if raw else None]) + "\n"


def _lines(path: Path) -> Iterator[tuple[str, Key, str | None]]:
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            kind, namespace, name, raw = json.loads(line)
        except ValueError:
            continue  # The line in which an earlier server was killed.
        yield kind, (namespace, name), raw
