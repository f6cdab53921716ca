"""What controllers tell, made fit to be stored and shown."""

import pytest

from app.providers.bmc import plain_values
from app.providers.bmc.target import Identity


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("SN0001\0\0\0", "SN0001"),
        ("  SN0001 \r\n", "SN0001"),
        ("a\0b", "a\ufffdb"),
        ("half \ud800 pair", "half \ufffd pair"),
        ("\x1b[2Jscreen", "\ufffd[2Jscreen"),
        ("two\nlines", "two lines"),
        ("\0\0\0", None),
        ("", None),
        (4711, "4711"),
        (None, None),
        ({"a": 1}, None),
        (True, None),
    ],
)
def test_a_text_is_plain(given: object, kept: str | None) -> None:
    assert plain_values.text(given) == kept


def test_all_values_of_a_structure_are_plain() -> None:
    given = {"a\0": ["x\0", float("nan"), 1, None], "b": ({"c": " d "},)}

    assert plain_values.values(given) == {"a": ["x", None, 1, None], "b": [{"c": "d"}]}


def test_an_identity_is_plain() -> None:
    given = Identity(serial="SN\0", vendor=" Dell ", product=7)  # type: ignore[arg-type]

    assert plain_values.identity(given) == Identity(serial="SN", vendor="Dell", product="7")
