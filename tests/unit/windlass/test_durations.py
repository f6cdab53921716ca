"""Durations, in every form that is allowed."""

import logging
from datetime import timedelta
from typing import Any

import pytest

from windlass.durations import duration_ms, exact_ms
from windlass.failures import DefinitionError


@pytest.mark.parametrize(
    ("given", "ms"),
    [
        (5000, 5000),
        ("5000ms", 5000),
        ("5s", 5000),
        (10, 10_000),
        ("10m", 600_000),
        ("1h", 3_600_000),
        ("3d", 259_200_000),
        (" 1.5 s ", 1500),
        ("10", 10_000),
        ("5000", 5000),
        (0, 0),
        ("0s", 0),
        (0.5, 500),
        (999, 999_000),
        (1000, 1000),
        ("0.1ms", 1),
        (timedelta(minutes=2), 120_000),
    ],
)
def test_a_duration_is_milliseconds(given: Any, ms: int) -> None:
    assert duration_ms(given) == ms


@pytest.mark.parametrize(("given", "ms"), [(60000, 60000), (1, 1), ("1000", 1000), ("1s", 1000), (500, 500)])
def test_where_milliseconds_are_meant_a_bare_number_is_milliseconds(given: Any, ms: int) -> None:
    assert exact_ms(given) == ms


@pytest.mark.parametrize(
    "given",
    [
        "",
        "s",
        "5 parsecs",
        "1h30m",
        "-1s",
        -1,
        float("nan"),
        float("inf"),
        "1e3",
        None,
        True,
        [],
        "4000d",
        "٣s",
    ],
)
def test_what_is_no_duration_is_refused_by_name(given: Any) -> None:
    with pytest.raises(DefinitionError, match="the sleep must be"):
        duration_ms(given, "the sleep")


def test_a_bare_number_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="windlass"):
        duration_ms(4321, "the nap")
        duration_ms(4321, "the nap")
    assert caplog.messages == ["the nap is 4321 without a unit: taken as ms"]
