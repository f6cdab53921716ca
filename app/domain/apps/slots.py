"""Ids on the wire: slots of events, messages, and the cursors of their pages."""

import re

from app.domain.apps.words import SLOTTED

SLOT = re.compile(r"evnt_([0-9]{26})")
LAST_SLOT = 2**31 - 1  # As far as a run counts; a cursor beyond it has every event before it.
NUMBER = re.compile(r"[0-9]{1,18}")
MESSAGE = re.compile(r"msg_([0-9]{1,18})")


def has_slots(spec_version: int | None) -> bool:
    """Whether the events of a run are named by their slots; decided by the run's version alone."""
    return spec_version is not None and spec_version >= SLOTTED


def event_id(spec_version: int | None, seq: int, number: int) -> str:
    """The id of an event: its slot in the run, or its number among all events for runs of older versions."""
    return f"evnt_{seq:026d}" if has_slots(spec_version) else str(number)


def fence(cursor: str) -> tuple[str, int] | None:
    """What a cursor names: ("seq", slot) or ("number", n); None for anything else, which is ignored."""
    if found := SLOT.fullmatch(cursor):
        return "seq", min(int(found[1]), LAST_SLOT)
    if NUMBER.fullmatch(cursor):
        return "number", int(cursor)
    return None


def message_id(number: int) -> str:
    """The id of a message."""
    return f"msg_{number}"


def message_number(text: str) -> int | None:
    """The number behind the id of a message; None when it is no such id."""
    found = MESSAGE.fullmatch(text)
    return int(found[1]) if found else None
