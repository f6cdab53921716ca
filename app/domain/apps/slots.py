"""Public ids of events and messages, and the cursors of their pages."""

import re

from app.domain.apps.words import SLOTTED

SLOT = re.compile(r"evnt_([0-9]{26})")
LAST_SLOT = 2**31 - 1  # The highest slot of a run; a cursor beyond it is after every event.
NUMBER = re.compile(r"[0-9]{1,18}")
MESSAGE = re.compile(r"msg_([0-9]{1,18})")


def has_slots(spec_version: int | None) -> bool:
    """Whether the ids of a run's events are their slots, which depends on its spec version alone."""
    return spec_version is not None and spec_version >= SLOTTED


def event_id(spec_version: int | None, seq: int, number: int) -> str:
    """The id of an event: its slot in the run, or its number among all events for runs of older versions."""
    return f"evnt_{seq:026d}" if has_slots(spec_version) else str(number)


def fence(cursor: str) -> tuple[str, int] | None:
    """The place that a cursor means: ("seq", slot) or ("number", n); None for any other text."""
    if found := SLOT.fullmatch(cursor):
        return "seq", min(int(found[1]), LAST_SLOT)
    if NUMBER.fullmatch(cursor):
        return "number", int(cursor)
    return None


def message_id(number: int) -> str:
    """The id of a message."""
    return f"msg_{number}"


def message_number(text: str) -> int | None:
    """The number in the id of a message; None for a text that is not such an id."""
    found = MESSAGE.fullmatch(text)
    return int(found[1]) if found else None
