"""Forms from JSON Schema: what a form says is what was meant."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.console import forms
from app.console.forms import Field

IMAGE = {"type": "object", "required": ["url"], "properties": {"url": {"type": "string", "format": "url"}}}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["image"],
    "properties": {
        "note": {"type": "string", "maxLength": 128},
        "image": IMAGE,
        "count": {"type": "integer", "minimum": 1},
        "force": {"type": "boolean"},
        "mode": {"type": "string", "enum": ["soft", "hard"]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "disks": {
            "type": "array",
            "items": {"type": "object", "properties": {"sizeGb": {"type": "integer"}}},
        },
        "labels": {"type": "object", "additionalProperties": True},
    },
}


def flat(found: list[Field]) -> dict[str, str]:
    """What a browser would send of a form: names and values."""
    sent: dict[str, str] = {}
    for one in found:
        if one.kind in ("group", "rows"):
            sent |= flat(list(one.inner))
        else:
            sent[one.name] = one.value
    return sent


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "string"}, "text"),
        ({"type": "string", "maxLength": 65536}, "long"),
        ({"type": "string", "format": "url"}, "url"),
        ({"type": ["integer", "null"]}, "number"),
        ({"type": "boolean"}, "tri"),
        ({"enum": ["a", "b"]}, "radio"),
        ({"enum": list("abcdefgh")}, "choice"),
        ({"type": "array", "items": {"type": "string"}}, "list"),
        (IMAGE, "group"),
        ({"type": "object"}, "json"),
        ({}, "json"),
    ],
)
def test_a_schema_decides_how_is_asked(schema: dict[str, Any], kind: str) -> None:
    assert forms.kind_of(schema) == kind


def test_a_password_is_never_shown_again() -> None:
    (field,) = forms.fields({"properties": {"password": {"type": "string"}}}, {"password": "canary"})
    assert (field.kind, field.value) == ("password", "")


@pytest.mark.parametrize(
    ("name", "title"),
    [("bmcAddress", "BMC address"), ("sizeGb", "Size GB"), ("url", "URL"), ("pool_id", "Pool id")],
)
def test_a_name_is_shown_in_words(name: str, title: str) -> None:
    found = forms.fields({"properties": {name: {"type": "string"}}})

    assert found[0].title == title


def test_what_is_required_comes_first_and_problems_stand_at_their_field() -> None:
    found = forms.fields(SCHEMA, {}, {"image.url": "Is not a URL"})
    assert found[0].name == "image"
    assert found[0].inner[0].wrong == "Is not a URL"


def test_empty_fields_are_left_out() -> None:
    assert forms.parse(SCHEMA, {"note": " ", "image.url": "", "count": ""}) == ({}, {})


def test_what_is_no_number_or_no_json_is_said_and_nothing_else_is_lost() -> None:
    value, wrong = forms.parse(SCHEMA, {"count": "many", "labels": "{", "note": "kept"})
    assert value == {"note": "kept"}
    assert wrong == {"count": "Must be a whole number", "labels": "Is not JSON"}


def test_rows_that_say_nothing_are_left_out() -> None:
    value, _ = forms.parse(SCHEMA, {"disks.0.sizeGb": "", "disks.1.sizeGb": "20"})
    assert value == {"disks": [{"sizeGb": 20}]}


WORDS = st.text("abc xyz-/", min_size=1, max_size=12).map(str.strip).filter(bool)
VALUES = st.fixed_dictionaries(
    {"image": st.fixed_dictionaries({"url": WORDS})},
    optional={
        "note": WORDS,
        "count": st.integers(1, 10**6),
        "force": st.booleans(),
        "mode": st.sampled_from(["soft", "hard"]),
        "tags": st.lists(WORDS.map(lambda word: word.replace(" ", "-")), min_size=1, max_size=4),
        "disks": st.lists(st.fixed_dictionaries({"sizeGb": st.integers(1, 900)}), min_size=1, max_size=4),
        "labels": st.dictionaries(WORDS, WORDS, min_size=1, max_size=3),
    },
)


@given(VALUES)
def test_a_value_comes_back_from_its_own_form(value: dict[str, Any]) -> None:
    assert forms.parse(SCHEMA, flat(forms.fields(SCHEMA, value))) == (value, {})
