"""A traceback is written once, however often its error comes back."""

from typing import Any

from app.logs import AGAIN_S, Once


class Clock:
    """A clock that stands until it is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def entry_of(event: str, error: Exception) -> dict[str, Any]:
    """A log line about an error that was raised here."""
    try:
        raise error
    except Exception as raised:
        return {"event": event, "exc_info": raised}


def test_the_second_time_it_is_one_line_that_says_what_it_was() -> None:
    once = Once(Clock())
    assert "exc_info" in once(None, "error", entry_of("failed", ValueError("one")))

    again = once(None, "error", entry_of("failed", ValueError("two")))

    assert again == {"event": "failed", "error": "ValueError: two", "repeats": 1}


def test_another_error_or_another_event_is_written_in_full() -> None:
    once = Once(Clock())
    once(None, "error", entry_of("failed", ValueError()))
    assert "exc_info" in once(None, "error", entry_of("failed", KeyError()))
    assert "exc_info" in once(None, "error", entry_of("broken", ValueError()))


def test_after_an_hour_it_is_written_again() -> None:
    clock = Clock()
    once = Once(clock)
    once(None, "error", entry_of("failed", ValueError()))
    clock.now = AGAIN_S + 1
    assert "exc_info" in once(None, "error", entry_of("failed", ValueError()))


def test_a_line_without_an_error_is_left_as_it_is() -> None:
    assert Once()(None, "info", {"event": "fine"}) == {"event": "fine"}
