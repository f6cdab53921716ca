"""Strict JSON: what a body may not be."""

import json

import pytest

from app.api.http.bodies import DEEPEST, MEBIBYTE, depth_of, parse
from app.domain.errors import PayloadTooLarge, ValidationFailed
from tests.support.growth import is_linear

REFUSED = (
    (b'{"a": 1, "a": 2}', "a"),
    (b'{"outer": {"b": 1, "b": 1}}', "b"),
    (b'{"a": NaN}', "body"),
    (b'{"a": Infinity}', "body"),
    (b'{"a": -Infinity}', "body"),
    (b'{"a": 1e999}', "body"),
    (b'{"a": ' + b"1" * 65 + b"}", "body"),
    (b'{"a": "\\u0000"}', "body"),
    (b'{"a": ["\\ud800"]}', "body"),
    (b"{", "body"),
    (b"\xff\xfe", "body"),
    (b'{"a": 1} x', "body"),
)


@pytest.mark.parametrize(("raw", "field"), REFUSED)
def test_what_json_or_the_database_does_not_have_is_refused_by_name(raw: bytes, field: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        parse(raw)
    assert list(refused.value.details["fields"]) == [field]


def test_a_body_as_deep_as_allowed_is_parsed() -> None:
    raw = b"[" * DEEPEST + b"]" * DEEPEST
    assert depth_of(raw) == DEEPEST
    assert parse(raw) == json.loads(raw)


def test_one_level_more_is_refused_with_the_limit() -> None:
    raw = b'{"a":' * (DEEPEST + 1) + b"1" + b"}" * (DEEPEST + 1)
    with pytest.raises(ValidationFailed) as refused:
        parse(raw)
    assert refused.value.details["limit"] == DEEPEST


def test_a_depth_that_would_end_the_parser_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(ValidationFailed):
        parse(b"[" * 500_000)
    assert is_linear(lambda size: depth_of(b"[" * size), 100_000)


def test_brackets_inside_texts_do_not_count() -> None:
    assert depth_of(b'{"a": "[[[[\\"[[[["}') == 1


def test_a_text_that_never_ends_is_scanned_once() -> None:
    with pytest.raises(ValidationFailed):
        parse(b'"' + b'\\"' * 500_000)
    assert is_linear(lambda size: depth_of(b'"' + b'\\"' * size), 100_000)


def test_a_body_beyond_the_limit_is_too_large_and_says_the_limit() -> None:
    with pytest.raises(PayloadTooLarge) as refused:
        parse(b" " * (MEBIBYTE + 1))
    assert refused.value.details["limit"] == MEBIBYTE


def test_an_empty_body_is_an_empty_object() -> None:
    assert parse(b" \n") == {}
