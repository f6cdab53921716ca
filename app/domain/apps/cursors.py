"""Cursors and limits of pages; a client sends back cursors that it got and does not interpret them."""

import re

from app.domain.apps.decide import stamp
from app.domain.apps.incoming import instant, storable
from app.domain.apps.refusal import bad

MOST = 1000
_NUMBER = re.compile(r"[0-9]{1,9}")
_SAFE = 2**53 - 1


def limit_of(given: str | None, default: int, most: int = MOST) -> int:
    """The number of rows that a client asks for, ``most`` at the highest."""
    if not given:
        return default
    if not re.fullmatch(r"[0-9]{1,18}", given):
        raise bad("limit must be a non-negative integer")
    return min(int(given), most)


def offset_of(given: str | None) -> int:
    """The number of rows before a page."""
    if not given:
        return 0
    if not _NUMBER.fullmatch(given):
        raise bad("cursor must be one that an earlier page gave")
    return int(given)


def count_of(given: str | None) -> int | None:
    """How many events a writer has read; None when it does not say."""
    if not given:
        return None
    if not re.fullmatch(r"[0-9]{1,16}", given) or int(given) > _SAFE:
        raise bad("eventCount must be a non-negative safe integer")
    return int(given)


def run_cursor(created_at: int, run_id: str) -> str:
    """The cursor of the page that follows this run."""
    return f"{stamp(created_at)}_{run_id}"


def run_place(given: str | None) -> tuple[int, str] | None:
    """The time and id before which a page of runs begins; a time alone is accepted as well."""
    if not given:
        return None
    time, _, run_id = given.partition("_")
    at = instant(time, "cursor") if storable(given) else None
    if at is None:
        raise bad("cursor must be one that an earlier page gave")
    return at, run_id
