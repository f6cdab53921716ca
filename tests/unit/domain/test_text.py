"""Text that every database can store."""

import pytest

from app.domain.text import legible


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("plain ä 🙂", "plain ä 🙂"),
        ("a\0b", "a�b"),
        ("half \ud800 pair", "half � pair"),
        ({"k\0": ["\0", 1, None]}, {"k�": ["�", 1, None]}),
        (("x\0",), ["x�"]),
    ],
)
def test_what_cannot_be_stored_is_replaced(given: object, stored: object) -> None:
    assert legible(given) == stored
