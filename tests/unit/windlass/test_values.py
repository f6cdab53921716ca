"""What is kept is JSON: what cannot be is refused, and says where and why."""

import enum
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.windlass.book import Book, advance
from windlass.calls import Raised, Returned
from windlass.context import Context
from windlass.failures import NotStorable, ResultRefused, StepFailed
from windlass.values import LARGEST, Secret, decode, encode


def reverse(text: str) -> str:
    return text[::-1]


def kept(value: Any) -> Any:
    return decode(encode(value, "it", reverse), reverse)


def nested(levels: int) -> list[Any]:
    value: list[Any] = [1]
    for _ in range(levels - 1):
        value = [value]
    return value


class Colour(enum.StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ((1, (2, 3)), [1, [2, 3]]),
        ({"a": {1: None}}, {"a": {"1": None}}),
        (Colour.RED, "red"),
        ("grin \U0001f600", "grin \U0001f600"),
        (2**80, 2**80),
        (nested(100), nested(100)),
        ([{"a": 1}] * 200, [{"a": 1}] * 200),
        ({"$secret": 1, "other": 2}, None),
        (Secret("x"), Secret("x")),
        ([{"password": Secret("x")}], [{"password": Secret("x")}]),
    ],
)
def test_a_value_is_seen_as_json_keeps_it(given: Any, seen: Any) -> None:
    if seen is None:
        with pytest.raises(NotStorable, match="reserved key"):
            kept(given)
    else:
        assert kept(given) == seen


def looped() -> list[Any]:
    loop: list[Any] = []
    loop.append(loop)
    return loop


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"when": datetime(2026, 1, 1, tzinfo=UTC)}, r"it holds a datetime \(not JSON\) at \$\.when"),
        ([1, {"x": float("nan")}], r"it holds nan .* at \$\[1\]\.x"),
        ([float("-inf")], r"it holds -inf .* at \$\[0\]"),
        ({"a": "x\0y"}, r"it holds text with a NUL character at \$\.a"),
        ({"a": ["\ud800"]}, r"it holds text with half a surrogate pair at \$\.a\[0\]"),
        ({"\0": 1}, "NUL character"),
        ({(1, 2): 3}, "a key that is not text"),
        ({1, 2}, "it holds a set"),
        (b"bytes", "a bytes"),
        (print, "a builtin_function_or_method"),
        (looped(), "is nested in itself"),
        ({"$secret": "mine"}, 'the reserved key "\\$secret"'),
        ("x" * LARGEST, f"has {LARGEST + 2} bytes as JSON; at most {LARGEST} are kept"),
        (nested(101), "it is nested in more than 100 levels"),
        (nested(9999), "is nested in itself, or too deeply"),
        ([10**5000], "cannot be written as JSON"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_its_place_and_type(given: Any, told: str) -> None:
    with pytest.raises(NotStorable, match=told):
        kept(given)


def test_a_step_whose_result_cannot_be_kept_fails_by_name_and_is_not_tried_again() -> None:
    book = Book()

    def flow(ctx: Context) -> Any:
        try:
            ctx.step("fetch", lambda: {"rows": [object()]}, retries=3)
        except ResultRefused as error:
            assert isinstance(error, StepFailed)
            return str(error)

    outcome = advance(flow, book)
    assert isinstance(outcome, Returned)
    assert outcome.value.startswith("the result of step 'fetch' holds a object (not JSON) at $.rows[0]")
    assert book.done == ["fetch"]


@pytest.mark.parametrize(
    ("flow", "told"),
    [
        (lambda ctx: {1, 2}, "the result of the workflow holds a set"),
        (lambda ctx: ctx.emit("e", print), "the payload of event 'e' holds"),
        (lambda ctx: ctx.run_child("c", print), "the input of child workflow 'c' holds"),
        (lambda ctx: ctx.create_hook("h", metadata={"x": print}), "the metadata of hook 'h' holds"),
        (lambda ctx: ctx.restart(print), r"the input of ctx.restart holds"),
        (
            lambda ctx: ctx.step("s", print, print, undo=reverse),
            "the arguments of step 's', kept for its undo,",
        ),
    ],
)
def test_whatever_is_kept_is_named_when_it_cannot_be(flow: Any, told: str) -> None:
    outcome = advance(flow, Book())
    assert isinstance(outcome, Raised)
    assert outcome.error["message"].startswith(f"NotStorable: {told}")


def test_a_secret_hides_itself() -> None:
    secret = Secret("hunter2")
    assert "hunter2" not in f"{secret} {secret!r} {[secret]}"
    assert secret.reveal() == "hunter2"
    assert encode({"p": secret}, "it", reverse) == {"p": {"$secret": "2retnuh"}}
    with pytest.raises(TypeError, match="a Secret is text, not bytes"):
        Secret(b"x")  # type: ignore[arg-type]


def test_what_the_author_changes_does_not_change_history() -> None:
    book = Book()
    seen = []

    def flow(ctx: Context) -> None:
        rows = ctx.step("rows", lambda: [1])
        rows.append(2)
        seen.append(list(rows))

    advance(flow, book)
    advance(flow, book)
    assert seen == [[1, 2], [1, 2]]
