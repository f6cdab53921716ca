"""What a process remembers of the database is asked anew by one thread, before it is too old for all."""

from collections.abc import Callable

import pytest

from app.record.session import Database, Tx


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which a test moves."""
    at = [100.0]
    monkeypatch.setattr("app.record.session.time.monotonic", lambda: at[0])
    return at


def test_what_is_still_good_is_used_while_one_asks_anew(db: Database, clock: list[float]) -> None:
    asked = list[float]()

    def ask(_tx: Tx) -> float:
        asked.append(clock[0])
        if len(asked) == 2:  # Another thread comes while this one asks.
            assert when(db, ask) == 100.0
        return clock[0]

    assert when(db, ask) == 100.0
    clock[0] = 105.0
    assert when(db, ask) == 100.0
    clock[0] = 108.0
    assert when(db, ask) == 108.0
    assert asked == [100.0, 108.0]


def test_what_is_too_old_is_never_used(db: Database, clock: list[float]) -> None:
    assert when(db, lambda _tx: 1.0) == 1.0
    clock[0] = 111.0
    assert when(db, lambda _tx: 2.0) == 2.0


def when(db: Database, ask: Callable[[Tx], float]) -> float:
    return db.remembered("when", ask, for_s=10)
