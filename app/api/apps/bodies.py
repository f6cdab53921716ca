"""Reads request bodies as the DevKit's clients send them: JSON as JavaScript accepts it, CBOR for the queue.

Payloads belong to users, so U+0000, repeated members and lone surrogates are accepted. What JSON does not
have (NaN, Infinity) is refused, and so is a body that is nested too deep for later readers.
"""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from flask import Response, request

from app.api.http.bodies import ENCODED, depth_of, is_encoded
from app.domain.apps.refusal import Refused, bad
from app.domain.apps.words import LARGEST_BODY

DEEPEST = 200
JSON, CBOR, TEXT, BYTES = "application/json", "application/cbor", "text/plain", "application/octet-stream"


def raw_body(*allowed: str) -> tuple[str, bytes]:
    """Media type and bytes of the body; 415 for a type that is not allowed, 413 when it is too long."""
    return body_in(request.environ, *allowed)


def body_in(environ: Mapping[str, Any], *allowed: str) -> tuple[str, bytes]:
    """The same from a WSGI environment; the server has read the whole body already."""
    raw: bytes = environ["wsgi.input"].read(LARGEST_BODY + 1)
    if len(raw) > LARGEST_BODY:
        raise Refused(413, "Request body is too large")
    if is_encoded(environ.get("HTTP_CONTENT_ENCODING", "")):
        raise Refused(415, f"Unsupported Media Type: {ENCODED}")
    given = environ.get("CONTENT_TYPE", "")
    if not raw and not given:
        return allowed[0], raw
    kind = given.partition(";")[0].strip().lower()
    if kind not in allowed:
        raise Refused(415, f"Unsupported Media Type: {kind or 'none'}; send {' or '.join(allowed)}")
    return kind, raw


def json_body(*, needed: bool = True) -> object:
    """The value of a JSON body; None for an empty body, which ``needed`` refuses."""
    _, raw = raw_body(JSON)
    return json_of(raw, needed=needed)


def json_of(raw: bytes, *, needed: bool = True) -> object:
    """The same for the bytes of a body."""
    if not raw.strip():
        if needed:
            raise bad("the body is empty; send a JSON object")
        return None
    return json_value(raw)


def json_object(*, needed: bool = True) -> dict[str, object]:
    """The object of a JSON body; an empty object for an empty body, which ``needed`` refuses."""
    value = json_body(needed=needed)
    if value is None and not needed:
        return {}
    if not isinstance(value, dict):
        raise bad("the body must be a JSON object")
    return value


def json_value(raw: bytes) -> object:
    """The value of a JSON text; raises `Refused` (400) when it is not JSON."""
    text = json_text(raw)
    try:
        return json.loads(text, parse_constant=_no_constant, parse_float=_number)
    except ValueError as error:
        raise bad(f"the body is not JSON: {error}") from None


def json_text(raw: bytes) -> str:
    """The bytes as text; raises `Refused` (400) when they are nested too deep or not UTF-8."""
    # Most texts have fewer brackets than the depth allowed: their depth need not be computed.
    if raw.count(b"[") + raw.count(b"{") > DEEPEST and depth_of(raw, DEEPEST) > DEEPEST:
        raise bad(f"the body is nested more than {DEEPEST} deep")
    try:
        return raw.decode("utf-8-sig")
    except ValueError as error:
        raise bad(f"the body is not JSON: {error}") from None


def answer(value: object, status: int = 200) -> Response:
    """A JSON response; members keep their order."""
    text = json.dumps(value, separators=(",", ":"))
    return Response(text, status, content_type="application/json; charset=utf-8")


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a JSON number")


def _number(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:64]} is larger than a number can be")
    return value
