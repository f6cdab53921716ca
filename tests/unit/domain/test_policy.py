"""Policies: how long a retry waits, when it gives up, when a fan-out is over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.policy import ANY, COLLECT, LONGEST_ASKED_MS, Backoff, Join, backoff, n_of_m

POLICIES = st.builds(
    Backoff,
    first_ms=st.integers(1, 60_000),
    factor=st.floats(1.0, 4.0),
    cap_ms=st.integers(1, 600_000),
    limit=st.integers(0, 20),
    deadline_ms=st.none() | st.integers(0, 3_600_000),
    jitter=st.booleans(),
)
ATTEMPTS = st.integers(1, 500)
CHANCE = st.floats(0.0, 1.0, exclude_max=True)


@given(POLICIES, ATTEMPTS, CHANCE)
def test_a_wait_lies_between_nothing_and_its_bound(policy: Backoff, attempt: int, chance: float) -> None:
    wait = policy.wait_ms(attempt, 0, lambda: chance)

    assert wait is None or 0 <= wait <= policy.bound_ms(attempt) <= policy.cap_ms


@given(POLICIES, ATTEMPTS)
def test_bounds_never_shrink(policy: Backoff, attempt: int) -> None:
    assert policy.bound_ms(attempt) <= policy.bound_ms(attempt + 1)


@given(POLICIES, ATTEMPTS, CHANCE)
def test_no_attempt_follows_the_last_one(policy: Backoff, attempt: int, chance: float) -> None:
    if policy.limit and attempt >= policy.limit:
        assert policy.wait_ms(attempt, 0, lambda: chance) is None


@given(POLICIES, ATTEMPTS, st.integers(0, 7_200_000), CHANCE)
def test_no_attempt_starts_after_the_deadline(
    policy: Backoff, attempt: int, elapsed: int, chance: float
) -> None:
    wait = policy.wait_ms(attempt, elapsed, lambda: chance)

    assert wait is None or policy.deadline_ms is None or elapsed + wait <= policy.deadline_ms


@given(POLICIES.filter(lambda policy: not policy.jitter and policy.deadline_ms is None), ATTEMPTS)
def test_without_jitter_the_bound_is_waited(policy: Backoff, attempt: int) -> None:
    assert policy.wait_ms(attempt) in (None, policy.bound_ms(attempt))


def test_a_policy_without_a_limit_never_gives_up() -> None:
    assert backoff("1s", limit=0).wait_ms(10_000) is not None


def test_whoever_asks_to_be_left_alone_is_for_so_long_and_not_for_ever() -> None:
    policy = backoff("2s", limit=3, deadline="10m")

    assert policy.wait_ms(1, asked_ms=7_000, rand=lambda: 0.5) == 8_000
    assert policy.wait_ms(1, asked_ms=86_400_000, rand=lambda: 0.0) == LONGEST_ASKED_MS
    assert policy.wait_ms(3, asked_ms=7_000) is None
    assert policy.wait_ms(1, 599_000, asked_ms=7_000) is None


def test_waits_grow_by_the_factor_up_to_the_cap() -> None:
    policy = backoff("5s", factor=2, cap="30s", limit=6)

    assert policy.shown()["waitsMs"] == [5_000, 10_000, 20_000, 30_000, 30_000]


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.none() | st.integers(1, 40))
def test_a_join_ends_exactly_when_its_outcome_is_certain(
    done: int, failed: int, left: int, need: int | None
) -> None:
    total = done + failed + left
    wanted = total if need is None else min(need, total)
    verdict = Join(need=need).verdict(total=total, done=done, failed=failed)

    assert (verdict == "completed") == (done >= wanted)
    assert (verdict == "failed") == (done < wanted and done + left < wanted)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_collecting_waits_for_all_and_never_fails(done: int, failed: int, left: int) -> None:
    verdict = COLLECT.verdict(total=done + failed + left, done=done, failed=failed)

    assert verdict == ("completed" if left == 0 else None)


@pytest.mark.parametrize(
    ("join", "done", "failed", "verdict"),
    [
        (ANY, 1, 2, "completed"),
        (ANY, 0, 2, None),
        (ANY, 0, 3, "failed"),
        (n_of_m(2), 2, 0, "completed"),
        (n_of_m(2), 1, 2, "failed"),
        (n_of_m(9), 3, 0, "completed"),
    ],
)
def test_joins_of_three(join: Join, done: int, failed: int, verdict: str | None) -> None:
    assert join.verdict(total=3, done=done, failed=failed) == verdict
