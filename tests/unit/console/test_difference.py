"""What differs between two inputs."""

import pytest

from app.auth.secrets import REDACTED
from app.console.difference import Difference, differences

CASES = [
    ({"a": 1}, {"a": 1}, []),
    ({"image": {"url": "a", "size": 1}}, {"image": {"url": "b", "size": 1}}, [("image.url", "a", "b")]),
    ({"a": 1}, {}, [("a", "1", None)]),
    ({}, {"a": [1]}, [("a", None, "[1]")]),
    ({"l": ["x", "y"]}, {"l": ["x", "z", "w"]}, [("l.1", "y", "z"), ("l.2", None, "w")]),
    ({"a": 1}, {"a": "1"}, [("a", "1", "1")]),
    ({"password": REDACTED}, {}, []),
    ({"password": REDACTED}, {"password": "new"}, [("password", REDACTED, "new")]),
]


@pytest.mark.parametrize(("old", "new", "expected"), CASES)
def test_each_member_that_differs_is_named_with_both_values(
    old: object, new: object, expected: list[tuple[str, str | None, str | None]]
) -> None:
    assert differences(old, new) == [Difference(*each) for each in expected]
