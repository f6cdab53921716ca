"""Which events an endpoint asks for and gets."""

import pytest

from app.domain.errors import ValidationFailed
from app.domain.events import TOLD
from app.webhooks.filter import MOST_PATTERNS, matches, validate


@pytest.mark.parametrize("event", TOLD)
def test_every_event_can_be_asked_for_by_name_and_by_pattern(event: str) -> None:
    family, _, word = event.rpartition(".")
    stars = ".".join("*" for _ in event.split("."))
    for pattern in (event, "*", stars, f"{family}.*", f"{stars[:-2]}.{word}"):
        assert validate([pattern]) == (pattern,)
        assert matches([pattern], event)


@pytest.mark.parametrize("event", TOLD)
def test_a_name_matches_that_event_alone(event: str) -> None:
    assert [other for other in TOLD if matches([event], other)] == [event]


def test_a_family_pattern_leaves_the_other_family_out() -> None:
    assert {event for event in TOLD if matches(["step.*"], event)} == {
        "step.completed",
        "step.failed",
        "step.retrying",
    }


def test_the_star_stands_for_a_whole_word_only() -> None:
    assert not matches(["run.c*"], "run.created")
    assert not matches(["run"], "run.created")


@pytest.mark.parametrize(
    "pattern", ["", "run", "run.exploded", "run.c*", "run.*.x", "**", "*.nothing", "RUN.*", " *"]
)
def test_a_pattern_that_no_event_can_match_is_refused(pattern: str) -> None:
    with pytest.raises(ValidationFailed) as caught:
        validate(["run.failed", pattern])
    assert "events" in caught.value.details["fields"]


def test_repeats_are_dropped_and_the_order_kept() -> None:
    assert validate(["step.*", "run.failed", "step.*"]) == ("step.*", "run.failed")


@pytest.mark.parametrize("patterns", [[], [f"x{number}" for number in range(MOST_PATTERNS + 1)]])
def test_none_or_too_many_patterns_are_refused(patterns: list[str]) -> None:
    with pytest.raises(ValidationFailed):
        validate(patterns)
