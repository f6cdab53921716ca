"""Answers that may be a little old: asked once, used by all threads for a time, asked anew before it ends."""

import time
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from app.domain.errors import Unavailable

T = TypeVar("T")
RENEWED = 0.75  # Of the time for which something is remembered, until one thread asks anew.


class Remembered:
    """The answers of one process to questions that are asked all day."""

    def __init__(self, most: int | None = None) -> None:
        self._most = most  # So many answers at most, where callers decide how many questions there are.
        self._answers: dict[Hashable, _Answer] = {}

    def answer(self, question: Hashable, ask: Callable[[], T], for_s: float) -> T:
        """The answer, at most ``for_s`` seconds old; raises what ``ask`` raises, and then keeps nothing."""
        found, now = self._answers.get(question), time.monotonic()
        if found is None or found.good_until < now:
            return self._asked(question, ask, for_s)
        if found.renew_at < now:
            # By one thread, while the others go on with what is still good. Else all that are busy would ask
            # at the same moment, every time that the answer becomes too old.
            self._answers[question] = found._replace(renew_at=found.good_until)
            with suppress(Unavailable):
                return self._asked(question, ask, for_s)
        answer: T = found.answer
        return answer

    def forget(self, question: Hashable) -> None:
        """Ask anew at the next time."""
        self._answers.pop(question, None)

    def _asked(self, question: Hashable, ask: Callable[[], T], for_s: float) -> T:
        now = time.monotonic()  # Before the question: the answer is as old as the look for it.
        try:
            answer = ask()
        except Unavailable:
            raise
        except Exception:
            self.forget(question)
            raise
        if self._most is not None and len(self._answers) >= self._most:
            self._answers.clear()
        self._answers[question] = _Answer(now + for_s * RENEWED, now + for_s, answer)
        return answer


class _Answer(NamedTuple):
    """From when on somebody asks anew, and how long it may be used."""

    renew_at: float
    good_until: float
    answer: Any
