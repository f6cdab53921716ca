"""The progress of a batch as a stream: what is news, what is told again, and when it ends."""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

from app.api.batch.progress import frames
from app.domain.errors import Unavailable
from app.services.permit import Permit

Look = tuple[int, dict[str, Any]]


def at(number: int, status: str = "Running", **members: Any) -> Look:
    """A look at a batch."""
    return number, {"status": status, "percent": 0.0, **members}


def stream(*looks: Look | Unavailable, after: int = 0) -> Iterator[str]:
    """A stream whose looks give these, the last one again and again."""
    left = list(looks)

    def look() -> Look:
        found = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(found, Unavailable):
            raise found
        return found

    return frames(look, after, Permit(lambda: None), lambda _: None)


def told(found: Iterator[str]) -> list[tuple[int, str]]:
    """The number and the status of each event."""
    lines = [frame.split("\n") for frame in found if frame.startswith("id:")]
    return [(int(one[0][4:]), json.loads(one[2][6:])["status"]) for one in lines]


def test_each_change_is_told_once_until_the_end() -> None:
    found = stream(at(1), at(1), at(2, percent=50.0), at(3, "Completed"))

    assert told(found) == [(1, "Running"), (2, "Running"), (3, "Completed")]


def test_an_estimate_that_moves_is_no_news() -> None:
    found = stream(at(1, estimated_completion="a"), at(1, estimated_completion="b"), at(2, "Failed"))

    assert told(found) == [(1, "Running"), (2, "Failed")]


def test_what_was_seen_is_not_told_again() -> None:
    assert told(stream(at(2), at(2), at(3, percent=9.0), at(4, "Completed"), after=2)) == [
        (3, "Running"),
        (4, "Completed"),
    ]


def test_the_end_is_told_to_whoever_comes_again() -> None:
    assert told(stream(at(4, "Completed"), after=4)) == [(4, "Completed")]


def test_a_rollback_goes_on_although_the_batch_has_no_new_event() -> None:
    found = stream(at(9, "RollingBack"), at(9, "RollingBack", percent=10.0), at(9, "RolledBack"), after=9)

    assert told(found) == [(9, "RollingBack"), (9, "RolledBack")]


def test_a_database_that_goes_away_ends_the_stream() -> None:
    assert told(stream(at(1), Unavailable())) == [(1, "Running")]


def test_the_first_words_say_when_to_come_again() -> None:
    assert list(islice(stream(at(1, "Completed")), 1)) == ["retry: 2000\n\n"]
