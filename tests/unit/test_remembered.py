"""What is remembered is never older than was asked for, and is renewed by one thread before that."""

from collections.abc import Iterator

import pytest

from app.domain.errors import Unauthorized, Unavailable
from app.record import remembered
from app.record.remembered import Remembered

FOR_S = 8.0


class Clock:
    """Stands still until it is set."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(remembered, "time", made)
    return made


@pytest.fixture
def numbers() -> Iterator[int]:
    return iter(range(1, 100))


def broken(error: Exception) -> int:
    raise error


def test_an_answer_serves_for_three_quarters_of_its_time(clock: Clock, numbers: Iterator[int]) -> None:
    known = Remembered()
    assert known.answer("q", lambda: next(numbers), FOR_S) == 1

    clock.now += 6.0
    assert known.answer("q", lambda: next(numbers), FOR_S) == 1
    assert known.answer("other", lambda: next(numbers), FOR_S) == 2
    clock.now += 0.1
    assert known.answer("q", lambda: next(numbers), FOR_S) == 3


def test_one_thread_renews_while_the_others_go_on(clock: Clock, numbers: Iterator[int]) -> None:
    known = Remembered()
    known.answer("q", lambda: next(numbers), FOR_S)
    clock.now += 7.0
    of_another: list[int] = []

    def ask() -> int:
        of_another.append(known.answer("q", lambda: next(numbers), FOR_S))
        return next(numbers)

    assert (known.answer("q", ask, FOR_S), of_another) == (2, [1])


def test_while_nobody_answers_the_last_answer_serves_to_its_end(clock: Clock, numbers: Iterator[int]) -> None:
    known = Remembered()
    known.answer("q", lambda: next(numbers), FOR_S)

    for later in (7.0, 0.9):
        clock.now += later
        assert known.answer("q", lambda: broken(Unavailable("away")), FOR_S) == 1
    clock.now += 0.2
    with pytest.raises(Unavailable):
        known.answer("q", lambda: broken(Unavailable("away")), FOR_S)


def test_what_is_refused_is_forgotten(clock: Clock, numbers: Iterator[int]) -> None:
    known = Remembered()
    known.answer("q", lambda: next(numbers), FOR_S)
    clock.now += 7.0

    with pytest.raises(Unauthorized):
        known.answer("q", lambda: broken(Unauthorized("revoked")), FOR_S)
    assert known.answer("q", lambda: next(numbers), FOR_S) == 2


def test_no_more_is_kept_than_was_said(clock: Clock, numbers: Iterator[int]) -> None:
    known = Remembered(most=2)
    for question in ("a", "b", "c"):
        known.answer(question, lambda: next(numbers), FOR_S)

    assert known.answer("c", lambda: next(numbers), FOR_S) == 3
    assert known.answer("a", lambda: next(numbers), FOR_S) == 4
