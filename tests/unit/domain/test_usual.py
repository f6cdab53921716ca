"""How long something takes usually: as declared at first, as seen later."""

import pytest

from app.domain.usual import blended


@pytest.mark.parametrize(("times", "expected"), [(0, 1_000), (1, 955), (10, 550), (20, 100), (500, 100)])
def test_what_was_seen_counts_as_much_as_it_was_seen(times: int, expected: float) -> None:
    assert blended(1_000, 100, times) == expected
