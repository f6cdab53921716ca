"""What has become of calls and is not written yet, and what may keep it from being written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.domain.events import EventType
from app.domain.rows import picked
from app.domain.rows.runs import StepRow

_TOLD = ("status", "attempt", "error")


class Fenced(Exception):
    """The advance is somebody else's by now, or is over."""


class TooManyEvents(Exception):
    """The run would have more events than it may."""


@dataclass
class Note:
    """What has become of a call and is not written yet."""

    row: StepRow
    changes: StepRow
    event: EventType
    facts: dict[str, Any] = field(default_factory=dict)
    new: bool = False

    def is_in(self, known: Mapping[str, StepRow]) -> bool:
        """Whether the record has it already: our own commit, whose answer was lost."""
        row = known.get(self.row["key"])
        if row is None or self.new:
            return row is not None
        # Status, attempt and error tell one attempt of a call from the next; the other columns follow from
        # them.
        return picked(row, _TOLD) == picked({**row, **self.changes}, _TOLD)
