"""Envelopes of the queue: what would take too long to read is refused, whatever it is made of."""

import pytest

from app.domain.apps import cbor, envelope
from app.domain.apps.refusal import Refused

MANY = 60
OPEN_TEXT, EMPTY_TEXT, BREAK = b"\x7f", b"\x60", b"\xff"


@pytest.mark.parametrize(
    "raw",
    [
        cbor.head_of(5, MANY) + b"\0\0" * MANY,  # Members without a name.
        cbor.map_bytes({"message": OPEN_TEXT + EMPTY_TEXT * MANY + BREAK}),
        b"\xa1" + OPEN_TEXT + EMPTY_TEXT * MANY + BREAK + b"\0",
        cbor.map_bytes({"a": cbor.head_of(4, 30) + b"\0" * 30, "b": cbor.head_of(4, 30) + b"\0" * 30}),
    ],
    ids=["members", "parts of a value", "parts of a name", "values of several members"],
)
def test_cbor_of_too_many_parts_is_refused(monkeypatch: pytest.MonkeyPatch, raw: bytes) -> None:
    monkeypatch.setattr(cbor, "MOST_ITEMS", MANY - 1)

    with pytest.raises(Refused, match="the body is not CBOR: more than"):
        envelope.from_cbor(raw)


def test_json_of_too_many_members_is_refused() -> None:
    body = "{" + '"":0,' * envelope.MOST_MEMBERS + '"message":1}'

    with pytest.raises(Refused, match="it has more than 10000 members"):
        envelope.from_json(body)
