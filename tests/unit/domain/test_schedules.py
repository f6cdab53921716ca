"""Due times: cron where clocks are put forward and back, intervals, and what is made up for."""

from datetime import datetime
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.clock import parse_time, rfc3339
from app.domain.errors import ValidationFailed
from app.domain.schedules import LATE_MS, MOST_COUNTED, Due, Timing, due

MINUTE = 60_000
BERLIN = "Europe/Berlin"  # Forward on 2026-03-29 at 01:00Z, back on 2026-10-25 at 01:00Z.
HALF_PAST_TWO = Timing(cron="30 2 * * *", timezone=BERLIN)
HALF_HOURS = Timing(cron="*/30 * * * *", timezone=BERLIN)
T0 = parse_time("2026-01-05T00:00:00Z")  # A Monday.


def next_of(timing: Timing, after: str, count: int) -> list[str]:
    """Due times as UTC, to the minute."""
    found = islice(timing.after(parse_time(after)), count)
    return [str(rfc3339(at))[:16] for at in found]


def test_cron_is_read_in_its_time_zone() -> None:
    assert next_of(HALF_PAST_TWO, "2026-01-01T00:00:00Z", 2) == ["2026-01-01T01:30", "2026-01-02T01:30"]


def test_what_falls_into_the_gap_of_spring_is_due_right_after_it() -> None:
    found = next_of(HALF_PAST_TWO, "2026-03-28T12:00:00Z", 2)
    assert found == ["2026-03-29T01:00", "2026-03-30T00:30"]


def test_what_falls_into_the_hour_that_comes_twice_is_due_once() -> None:
    found = next_of(HALF_PAST_TWO, "2026-10-24T12:00:00Z", 2)
    assert found == ["2026-10-25T00:30", "2026-10-26T01:30"]


@pytest.mark.parametrize("within", ["2026-10-25T00:45:00Z", "2026-10-25T01:15:00Z", "2026-10-25T01:30:00Z"])
def test_from_within_the_hour_that_comes_twice_nothing_is_due_again(within: str) -> None:
    assert next_of(HALF_PAST_TWO, within, 1) == ["2026-10-26T01:30"]


def test_every_half_hour_is_due_in_both_hours_of_autumn_and_not_in_the_gap_of_spring() -> None:
    autumn = next_of(HALF_HOURS, "2026-10-25T00:15:00Z", 4)
    spring = next_of(HALF_HOURS, "2026-03-29T00:15:00Z", 3)
    assert autumn == ["2026-10-25T00:30", "2026-10-25T01:00", "2026-10-25T01:30", "2026-10-25T02:00"]
    assert spring == ["2026-03-29T00:30", "2026-03-29T01:00", "2026-03-29T01:30"]


@given(
    start=st.datetimes(datetime(2026, 3, 28), datetime(2026, 3, 30))
    | st.datetimes(datetime(2026, 10, 24), datetime(2026, 10, 26)),
    cron=st.sampled_from(["30 2 * * *", "*/20 * * * *", "15 1-4 * * *", "0 */2 * * *", "59 2,3 * * 0"]),
)
def test_due_times_only_grow_and_do_not_depend_on_where_one_looks_from(start: datetime, cron: str) -> None:
    timing = Timing(cron=cron, timezone=BERLIN)
    at = round(start.timestamp() * 1000)
    found = list(islice(timing.after(at), 12))
    assert found == sorted(set(found))
    assert found[0] > at
    assert [next(timing.after(one)) for one in found[:-1]] == found[1:]
    assert [next(timing.after(one - 1)) for one in found] == found


def test_an_interval_counts_from_its_anchor() -> None:
    timing = Timing(every_ms=90_000, anchor_at=T0)
    assert list(islice(timing.after(T0), 2)) == [T0 + 90_000, T0 + 180_000]
    assert next(timing.after(T0 + 90_000)) == T0 + 180_000
    assert next(timing.after(T0 + 100_000)) == T0 + 180_000


@pytest.mark.parametrize(
    ("timing", "field"),
    [
        (Timing(), "cron"),
        (Timing(cron="* * * * *", every_ms=1_000), "cron"),
        (Timing(cron="* * * *"), "cron"),
        (Timing(cron="* * * * * *"), "cron"),
        (Timing(cron="61 * * * *"), "cron"),
        (Timing(cron="0 0 30 2 *"), "cron"),
        (Timing(cron="@reboot"), "cron"),
        (Timing(cron="@daily", timezone="Nowhere/Atlantis"), "timezone"),
        (Timing(cron="@daily", timezone="../etc/passwd"), "timezone"),
        (Timing(cron="@daily", timezone="localtime"), "timezone"),
        (Timing(cron="@daily", timezone="right/Europe/Berlin"), "timezone"),
    ],
)
def test_what_is_never_due_is_refused_by_its_field(timing: Timing, field: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        timing.check()
    assert set(refused.value.details["fields"]) == {field}


EVERY_MINUTE = (Timing(cron="* * * * *"), Timing(every_ms=MINUTE, anchor_at=T0))


@pytest.mark.parametrize("timing", EVERY_MINUTE)
@pytest.mark.parametrize("catch_up", ["none", "latest", "all"])
def test_what_is_due_in_time_counts_whatever_the_policy(timing: Timing, catch_up: str) -> None:
    assert due(timing, T0, T0 + 900, catch_up, 3) == Due(times=(T0,), missed=0)


@pytest.mark.parametrize("timing", EVERY_MINUTE)
@pytest.mark.parametrize(
    ("catch_up", "kept"), [("none", [9]), ("latest", [9]), ("all", [7, 8, 9])], ids=["none", "latest", "all"]
)
def test_after_ten_minutes_away(timing: Timing, catch_up: str, kept: list[int]) -> None:
    found = due(timing, T0, T0 + 9 * MINUTE + 1, catch_up, 3)
    assert found == Due(times=tuple(T0 + n * MINUTE for n in kept), missed=10 - len(kept))


def test_without_making_up_what_is_late_is_missed() -> None:
    daily = Timing(cron="@daily")
    assert due(daily, T0, T0 + LATE_MS + 1, "none", 1) == Due(times=(), missed=1)
    assert due(daily, T0, T0 + LATE_MS + 1, "latest", 1) == Due(times=(T0,), missed=0)


def test_years_away_cost_no_more_than_weeks() -> None:
    away = 5 * 366 * 86_400_000
    found = due(EVERY_MINUTE[0], T0, T0 + away, "latest", 1)
    assert found == Due(times=(T0 + away,), missed=7 * 24 * 60)
    assert found.missed < MOST_COUNTED
