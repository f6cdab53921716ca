"""What a soak calls flat, and what not."""

from collections.abc import Callable

import pytest

from tests.chaos.sampler import BYTES_A_RUN, Sample, growths, judge

SAMPLES_A_MINUTE = 3


def life(
    series: str, value: Callable[[float], float], *, since: float = 0, until: float = 90
) -> list[Sample]:
    """A process that shows `value` of its age in minutes."""
    ages = [one / SAMPLES_A_MINUTE for one in range(int((until - since) * SAMPLES_A_MINUTE))]
    return [Sample(series, f"born at {since}", since + age, value(age)) for age in ages]


def findings(samples: list[Sample]) -> list[str]:
    return [one.what for one in judge([*samples, Sample(BYTES_A_RUN, "", 0, 9_000)])]


def settling(age: float) -> float:
    return 60 + 2 * min(age, 16)


def test_processes_that_grow_while_they_are_young_are_flat() -> None:
    samples = [
        one
        for since in range(0, 90, 45)
        for one in life("child MiB", settling, since=since, until=since + 45)
    ]
    assert findings(samples) == []
    assert growths(samples)["child MiB"].level == 92


@pytest.mark.parametrize("minutes", [45, 90])
def test_a_leak_is_seen_however_often_its_processes_are_replaced(minutes: int) -> None:
    def leaking(age: float) -> float:
        return settling(age) + 0.3 * age

    samples = [
        one
        for since in range(0, 90, minutes)
        for one in life("child MiB", leaking, since=since, until=since + minutes)
    ]
    assert findings(samples) == ["child MiB grow by 0.300 a minute, more than 0.1"]


def test_files_that_stay_open_are_seen() -> None:
    assert findings(life("api-worker files", lambda age: 30 + age // 10)) == [
        "api-worker files grow by 0.097 a minute, more than 0.05"
    ]


def test_a_role_whose_processes_all_died_young_was_not_judged_and_that_is_reported() -> None:
    samples = [
        one for since in range(0, 90, 5) for one in life("child MiB", settling, since=since, until=since + 5)
    ]
    assert findings(samples) == ["child MiB: no process lived for more than 30 minutes"]


def test_a_database_that_grows_faster_than_its_runs_is_seen() -> None:
    samples = [Sample(BYTES_A_RUN, "", minute, 9_000 + 50 * minute) for minute in range(90)]
    assert [one.what for one in judge(samples)] == [
        f"{BYTES_A_RUN}: 13450 in the end, 10350 after the warm-up"
    ]


def test_a_soak_that_never_saw_the_database_says_so() -> None:
    assert [one.what for one in judge([])] == [f"{BYTES_A_RUN}: never seen"]
