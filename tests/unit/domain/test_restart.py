"""Where a repetition begins."""

import pytest

from app.domain.restart import back_to

KEYS = ["power", "boot-from", "power-2", "install", "boot-from-2"]
TITLES = {key: key.removesuffix("-2") for key in KEYS}


@pytest.mark.parametrize(
    ("wanted", "begin", "start"),
    [
        ("install", "boot-from", "boot-from"),
        ("install", "power", "power-2"),
        ("install", None, "install"),
        ("install", "nothing", "install"),
        ("unknown", "boot-from", "unknown"),
    ],
)
def test_a_step_is_begun_again_at_the_nearest_step_that_it_names(
    wanted: str, begin: str | None, start: str
) -> None:
    assert back_to(wanted, KEYS, TITLES, begin) == start
