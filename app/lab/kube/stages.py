"""How far each object has come, one stage after the other, each with its time."""

import time
from dataclasses import dataclass

from app.lab.kube.store import Object


@dataclass
class Stage:
    """Where one object stands on the way to one wish."""

    mark: tuple[str, int, bool]  # Uid, generation and whether it is being deleted: another wish starts anew.
    number: int = 0
    due: float = 0.0

    @property
    def left(self) -> float:
        """Seconds until the stage is over."""
        return max(0.0, self.due - time.monotonic())

    def follow(self, seconds: float) -> float:
        """The next stage begins after so many seconds; returns them."""
        self.number += 1
        self.due = time.monotonic() + seconds
        return seconds


class Stages:
    """The stages of all objects of a controller."""

    def __init__(self) -> None:
        self._stages: dict[str, Stage] = {}

    def of(self, content: Object) -> Stage:
        """Where an object stands; at the beginning when its wish is new."""
        metadata = content["metadata"]
        mark = (metadata["uid"], metadata.get("generation", 0), "deletionTimestamp" in metadata)
        stage = self._stages.get(metadata["uid"])
        if stage is None or stage.mark != mark:
            stage = self._stages[metadata["uid"]] = Stage(mark)
        return stage

    def forget(self, uid: str) -> None:
        self._stages.pop(uid, None)
