"""Servers as sandboxes on this host: a folder each, with ``server.json`` and the server's root.

    STATE/local/ACCOUNT/NAME/server.json
    STATE/local/ACCOUNT/NAME/root/

Any plan and any zone will do. What is made is there, survives everything, and can be counted. A rehearsal
lets a server fail as clouds do; how often it has failed is kept in ``ACCOUNT/.rehearsals``, over all attempts
and retries.
"""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from app.domain.errors import CloudError, CloudRefused, CloudUnreachable
from app.providers.compute.values import Access, Machine, Plan, Price, Spec, State, Whoami, oldest_first

CARD = "server.json"
PLAYED = ".rehearsals"


class RehearsedFailure(CloudError):
    """The server was told to fail."""

    code = "REHEARSED_FAILURE"
    nothing_happened = True


class RehearsedEnd(CloudRefused):
    """The server was told to fail for good."""

    code = "REHEARSED_FAILURE"


class LostAnswer(CloudUnreachable):
    """The order took effect, and its answer was lost, as was rehearsed."""


@dataclass(frozen=True)
class LocalCompute:
    """The sandboxes of one account; `Access.endpoint` is the folder of all accounts."""

    access: Access

    @property
    def lists_late(self) -> bool:
        """A folder that was made is there."""
        return False

    def whoami(self) -> Whoami:
        """The account."""
        return Whoami(name=self.access.account, clock_skew_ms=0)

    def plans(self) -> list[Plan]:
        """Any plan will do."""
        return []

    def zones(self) -> list[str]:
        """Any zone will do."""
        return []

    def prices(self) -> list[Price]:
        """They cost nothing."""
        return []

    def find(
        self, *, token: str | None = None, name: str | None = None, batch: str | None = None
    ) -> list[Machine]:
        """The sandboxes that bear all that is given, oldest first."""
        cards = self._cards() if name is None else filter(None, [self._card(name)])
        wanted = {"token": token, "name": name, "batch": batch}
        asked = {key: value for key, value in wanted.items() if value is not None}
        fits = (one for one in cards if all(one.get(key) == value for key, value in asked.items()))
        return oldest_first([_machine(one) for one in fits])

    def create(self, spec: Spec, token: str) -> Machine:
        """Make a sandbox; the same token gives the same one."""
        with self._alone():
            known = self._card(spec.name)
            if known is not None:
                return self._repeated(known, token)
            rehearsal = spec.rehearsal
            if self._plays(spec.name, "fail_attempts", rehearsal):
                failure = RehearsedEnd if rehearsal.get("permanent") else RehearsedFailure
                raise failure(f"{spec.name} fails, as was rehearsed")
            card = self._write(spec, token)
            if self._plays(spec.name, "lost_answers", rehearsal):
                raise LostAnswer(f"The answer about {spec.name} was lost, as was rehearsed")
        return _machine(card)

    def look(self, id_: str) -> Machine | None:
        """The sandbox as it is now."""
        return next((_machine(one) for one in self._cards() if one["id"] == id_), None)

    def remove(self, id_: str) -> bool:
        """Remove a sandbox with all that is in it."""
        with self._alone():
            card = next((one for one in self._cards() if one["id"] == id_), None)
            if card is None:
                return True
            if self._plays(card["name"], "undo_fail_attempts", card.get("rehearsal") or {}):
                raise RehearsedFailure(f"{card['name']} is not removed, as was rehearsed")
            folder = self._folder / card["name"]
            (folder / CARD).unlink()  # From now on it is not there, whatever becomes of the rest.
            shutil.rmtree(folder, ignore_errors=True)
        return True

    def close(self) -> None:
        """There is nothing to let go of."""

    @property
    def _folder(self) -> Path:
        return Path(self.access.endpoint) / self.access.account

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One change of the account at a time, whoever makes it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _repeated(self, card: Mapping[str, object], token: str) -> Machine:
        if card["token"] != token:
            raise CloudRefused(f"There is a server {card['name']} already, made by another batch")
        return _machine(card)

    def _write(self, spec: Spec, token: str) -> dict[str, object]:
        now = time.time_ns() // 1_000_000
        card = {
            "id": f"local-{token[:16]}",
            "name": spec.name,
            "plan": self.access.plan(spec.plan),
            "zone": self.access.zone(spec.zone),
            "token": token,
            "batch": spec.batch,
            "created_at": now,
            "ready_at": now + round(float(spec.rehearsal.get("delay_seconds", 0)) * 1000),
            "rehearsal": dict(spec.rehearsal),
        }
        folder = self._folder / spec.name
        (folder / "root").mkdir(parents=True, exist_ok=True)
        _replace(folder / CARD, card)
        return card

    def _plays(self, name: str, what: str, rehearsal: Mapping[str, Any]) -> bool:
        """Whether this attempt is one of those that were told to go wrong; it is counted."""
        wanted = int(rehearsal.get(what, 0))
        if what == "fail_attempts" and rehearsal.get("permanent") and wanted:
            return True
        if not wanted:
            return False
        path = self._folder / PLAYED / f"{name}.json"
        counts = json.loads(path.read_text()) if path.exists() else {}
        if counts.get(what, 0) >= wanted:
            return False
        path.parent.mkdir(exist_ok=True)
        _replace(path, {**counts, what: counts.get(what, 0) + 1})
        return True

    def _card(self, name: str) -> dict[str, object] | None:
        try:
            return cast("dict[str, Any]", json.loads((self._folder / name / CARD).read_text()))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _cards(self) -> Iterator[dict[str, Any]]:
        if not self._folder.is_dir():
            return
        for place in self._folder.iterdir():
            card = self._card(place.name)
            if card is not None:
                yield card


def _machine(card: Mapping[str, Any]) -> Machine:
    ready = card["ready_at"] <= time.time_ns() // 1_000_000
    state: State = "running" if ready else "creating"
    return Machine(
        id=card["id"],
        name=card["name"],
        plan=card["plan"],
        zone=card["zone"],
        state=state,
        token=card["token"],
        batch=card["batch"],
        addresses=("127.0.0.1",),
        created_at=card["created_at"],
    )


def _replace(path: Path, value: object) -> None:
    """Write a file beside and rename it: whoever reads sees all of it, or what was there before."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("w") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    beside.rename(path)
