"""How often an account may be asked: at once, a second, and after complaints."""

from app.domain.gate import LEAST_RATE, Gate, Limits

LIMITS = Limits(at_once=2, a_second=4)
NOW = 1_000_000


def entered(gate: Gate, now: int, times: int) -> tuple[Gate, list[int]]:
    """The gate after so many calls one after the other, and what each had to wait."""
    waits = []
    for _ in range(times):
        gate, wait = gate.enter(LIMITS, now, 0)
        waits.append(wait)
    return gate, waits


def test_a_second_has_its_calls_and_the_next_one_waits() -> None:
    _, waits = entered(Gate.fresh(LIMITS, NOW), NOW, 5)
    assert waits == [0, 0, 0, 0, 250]


def test_calls_come_back_with_time() -> None:
    gate, _ = entered(Gate.fresh(LIMITS, NOW), NOW, 4)
    _, waits = entered(gate, NOW + 500, 3)
    assert waits[:2] == [0, 0] and waits[2] > 0


def test_no_more_calls_at_once_than_allowed() -> None:
    gate = Gate.fresh(LIMITS, NOW)
    assert gate.enter(LIMITS, NOW, 1)[1] == 0
    assert gate.enter(LIMITS, NOW, 2)[1] > 0


def test_after_a_complaint_nobody_calls_for_as_long_as_the_provider_asks() -> None:
    gate = Gate.fresh(LIMITS, NOW).throttled(LIMITS, NOW, 3_000)
    assert gate.enter(LIMITS, NOW + 1_000, 0)[1] == 2_000
    assert gate.enter(LIMITS, NOW + 3_001, 0)[1] == 0


def test_complaints_about_calls_under_way_together_count_once() -> None:
    gate = Gate.fresh(LIMITS, NOW).throttled(LIMITS, NOW, 3_000)
    again = gate.throttled(LIMITS, NOW + 10, 3_000)
    assert (gate.rate, again.rate // 10) == (2_000, 200)


def test_the_rate_halves_down_to_a_least_one() -> None:
    gate = Gate.fresh(LIMITS, NOW)
    for number in range(20):
        gate = gate.throttled(LIMITS, NOW + number, 0)
    assert gate.rate == LEAST_RATE


def test_the_rate_recovers_by_a_tenth_a_minute_and_no_further_than_the_limit() -> None:
    gate = Gate.fresh(LIMITS, NOW).throttled(LIMITS, NOW, 0)
    assert gate.at(LIMITS, NOW + 60_000).rate == 2_400
    assert gate.at(LIMITS, NOW + 3_600_000).rate == LIMITS.rate


def test_a_long_silence_allows_no_more_than_a_second_of_calls() -> None:
    gate, _ = entered(Gate.fresh(LIMITS, NOW), NOW, 4)
    _, waits = entered(gate, NOW + 3_600_000, 5)
    assert [wait > 0 for wait in waits] == [False] * 4 + [True]
