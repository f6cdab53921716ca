"""When a delivery is tried again."""

from random import Random

import pytest

from app.webhooks.schedule import JITTER, SCHEDULE_MS, next_delay

HOURS = 3_600_000


def test_the_schedule_is_the_one_of_the_contract() -> None:
    hours = [pause / HOURS for pause in SCHEDULE_MS]
    assert hours == [0, 5 / 3600, 5 / 60, 0.5, 2, 5, 10, 14, 20, 24]


def test_the_first_attempt_is_due_at_once() -> None:
    assert next_delay(0, Random(1).random) == 0


@pytest.mark.parametrize("attempt", range(1, 10))
def test_a_pause_is_spread_around_its_middle(attempt: int) -> None:
    middle = SCHEDULE_MS[attempt]
    assert next_delay(attempt, lambda: 0.5) == middle
    assert next_delay(attempt, lambda: 0.0) == round(middle * (1 - JITTER))
    assert len({next_delay(attempt, Random(seed).random) for seed in range(50)}) > 40


@pytest.mark.parametrize("attempt", [10, 11, 1000])
def test_after_the_tenth_attempt_the_delivery_is_dead(attempt: int) -> None:
    assert next_delay(attempt, lambda: 0.5, retry_after_ms=1) is None


def test_retry_after_lengthens_a_pause_and_never_shortens_it() -> None:
    assert next_delay(1, lambda: 0.5, retry_after_ms=60_000) == 60_000
    assert next_delay(2, lambda: 0.5, retry_after_ms=1) == SCHEDULE_MS[2]
