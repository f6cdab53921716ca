"""Reads the envelope of a message that is posted to the queue; the message inside keeps its bytes.

A message that is parsed and serialised again would have other bytes: numbers, repeated members, and the
lengths and tags of CBOR have several encodings. So only the span of the message is found, and a few of its
members are read.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from app.domain.apps import cbor
from app.domain.apps.refusal import bad

LONGEST_NAME, LONGEST_KEY, LONGEST_RUN = 2_000, 1_000, 256  # Bytes in UTF-8.
MOST_DELAY_S = 10 * 366 * 86_400
MOST_MEMBERS = 10_000  # Of an envelope in JSON; clients send at most five.
NAMES = ("queueName", "deploymentId", "idempotencyKey", "delaySeconds")
LINKS = ("runId", "workflowRunId")
_BLANK = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """One message to add, as the client sent it."""

    queue: str
    message: bytes
    cbor: bool
    run_id: str
    version: str
    key: str | None
    delay_ms: int


def from_json(body: str) -> Envelope:
    """Read an envelope in JSON, whose nesting was checked before."""
    values, spans = members_of(body)
    message = values.get("message")
    if "message" not in values or not _counts(message):
        raise bad("queueName and message are required")
    start, end = spans["message"]
    inside = message if isinstance(message, dict) else {}
    return _envelope(values, body[start:end].encode("utf-8", "surrogatepass"), inside, is_cbor=False)


def from_cbor(raw: bytes) -> Envelope:
    """Read an envelope in CBOR."""
    try:
        spans, end = cbor.members(raw)
        if end != len(raw):
            raise cbor.Malformed(f"something follows after byte {end}")
        values = {name: cbor.plain(raw, spans[name][0]) for name in NAMES if name in spans}
        if "message" not in spans or not _counts(cbor.plain(raw, spans["message"][0])):
            raise bad("queueName and message are required")
        start, end = spans["message"]
        message = raw[start:end]
        return _envelope(values, message, facts(message, is_cbor=True), is_cbor=True)
    except cbor.Malformed as error:
        raise bad(f"the body is not CBOR: {error}") from None


def facts(message: bytes, *, is_cbor: bool) -> Mapping[str, object]:
    """The members of a stored message that are plain values; empty for a message that is not an object."""
    if not is_cbor:
        value = json.loads(message)
        return value if isinstance(value, dict) else {}
    if message[0] >> 5 != 5:
        return {}
    spans, _ = cbor.members(message)
    return {name: cbor.plain(message, start) for name, (start, _) in spans.items()}


def members_of(body: str) -> tuple[dict[str, object], dict[str, tuple[int, int]]]:
    """The members of a JSON object, and the spans of their values; the last of repeated ones counts."""
    values: dict[str, object] = {}
    spans: dict[str, tuple[int, int]] = {}
    decoder, read = json.JSONDecoder(parse_constant=_no_constant, parse_float=_number), 0
    try:
        at = _after(body, 0, "{")
        while body[at : at + 1] != "}" or values:
            read += 1
            if read > MOST_MEMBERS:  # Each is parsed by itself: millions of them would take minutes.
                raise ValueError(f"it has more than {MOST_MEMBERS} members")
            if body[at : at + 1] != '"':
                raise ValueError(f"a name is expected at character {at}")
            name, at = decoder.raw_decode(body, at)
            at = _after(body, at, ":")
            values[name], end = decoder.raw_decode(body, at)
            spans[name] = (at, end)
            at = _BLANK.match(body, end).end()  # type: ignore[union-attr]
            if body[at : at + 1] == "}":
                break
            at = _after(body, at, ",")
        if body[at + 1 :].strip(" \t\r\n"):
            raise ValueError(f"something follows after character {at}")
    except (ValueError, RecursionError) as error:
        raise bad(f"the body is not a JSON object: {error}") from None
    return values, spans


def delivery(message: bytes, *, is_cbor: bool, queue: str, message_id: str, attempt: int) -> bytes:
    """The body of a delivery: the message as it was sent, and the queue, id and attempt."""
    if is_cbor:
        meta = {
            "queueName": cbor.text_bytes(queue),
            "messageId": cbor.text_bytes(message_id),
            "attempt": cbor.number_bytes(attempt),
        }
        return cbor.map_bytes({"message": message, "meta": cbor.map_bytes(meta)})
    said = json.dumps(
        {"queueName": queue, "messageId": message_id, "attempt": attempt}, separators=(",", ":")
    )
    return b'{"message":' + message + b',"meta":' + said.encode() + b"}"


def invocation(run_id: str, *, is_cbor: bool) -> bytes:
    """The message that invokes a workflow's run."""
    if is_cbor:
        return cbor.map_bytes({"runId": cbor.text_bytes(run_id)})
    return json.dumps({"runId": run_id}, separators=(",", ":")).encode()


def delay_ms(value: object, name: str) -> int:
    """Seconds as milliseconds, rounded up; 0 for none."""
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:  # noqa: PLR0124 - NaN
        raise bad(f"{name} must be a number of seconds")
    if value > MOST_DELAY_S:
        raise bad(f"{name} must be at most {MOST_DELAY_S}")
    return max(0, math.ceil(value * 1000)) if value > 0 else 0


def stored_text(value: object, name: str, longest: int) -> str:
    """A text that the database can store and search for; raises `Refused` (400)."""
    if not isinstance(value, str):
        raise bad(f"{name} must be a string")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise bad(f"{name} must be valid Unicode") from None
    if size > longest or "\0" in value:
        raise bad(f"{name} must have at most {longest} bytes and no U+0000")
    return value


def _envelope(
    values: Mapping[str, object], message: bytes, inside: Mapping[str, object], *, is_cbor: bool
) -> Envelope:
    queue, version, key = (values.get(name) for name in NAMES[:3])
    if not queue:
        raise bad("queueName and message are required")
    return Envelope(
        queue=stored_text(queue, "queueName", LONGEST_NAME),
        message=message,
        cbor=is_cbor,
        run_id=_link(inside),
        version=stored_text(version or "", "deploymentId", LONGEST_KEY),
        key=stored_text(key, "idempotencyKey", LONGEST_KEY) if key else None,
        delay_ms=delay_ms(values.get("delaySeconds"), "delaySeconds"),
    )


def _link(inside: Mapping[str, object]) -> str:
    """The id of the run that a message names; empty when it cannot be an id."""
    for name in LINKS:
        value = inside.get(name)
        if isinstance(value, str) and value.isprintable() and 0 < len(value.encode()) <= LONGEST_RUN:
            return value
    return ""


def _counts(message: object) -> bool:
    """Whether a value is truthy in JavaScript."""
    empty = message is None or message is False or message == "" or message != message  # noqa: PLR0124 - NaN
    return not empty and not (
        isinstance(message, int | float) and not isinstance(message, bool) and message == 0
    )


def _after(body: str, at: int, sign: str) -> int:
    at = _BLANK.match(body, at).end()  # type: ignore[union-attr]
    if body[at : at + 1] != sign:
        raise ValueError(f"{sign!r} is expected at character {at}")
    return _BLANK.match(body, at + 1).end()  # type: ignore[union-attr]


def _no_constant(word: str) -> object:
    raise ValueError(f"{word} is not a JSON number")


def _number(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text[:64]} is larger than a number can be")
    return value
