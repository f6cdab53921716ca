"""Strict JSON (contracts/runs.rst#strict-json; RFC 8259): what Python's parser would forgive is refused here.

1. A scanner measures the depth before anything is parsed: the parser recurses, a hostile body would end it.
2. Hooks of the parser refuse repeated members, NaN, Infinity and texts that no database stores.
3. Whatever is left is an ordinary value, at most `DEEPEST` deep.
"""

import json
import re
from typing import NoReturn

from app.domain.errors import PayloadTooLarge, ValidationFailed
from app.domain.json import texts_of

MEBIBYTE = 1_048_576
HOOK_LIMIT = 65_536
DEEPEST = 32
LONGEST_NUMBER = 64
ENCODED = "The body must be sent as it is, without Content-Encoding"
NOT_TEXT = "a character that is not text (U+0000 or a lone surrogate)"

# A text runs to its closing quote, or to the end: one match a text, so that the time stays linear.
_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def parse(raw: bytes, limit: int = MEBIBYTE) -> object:
    """The value of a JSON text of at most `limit` bytes; an empty text is an empty object.

    Raises `PayloadTooLarge`, or `ValidationFailed` on ``body`` (or the repeated member) with the limit.
    """
    if len(raw) > limit:
        raise PayloadTooLarge(f"The body has more than {limit} bytes.", limit=limit)
    if not raw.strip():
        return {}
    if depth_of(raw) > DEEPEST:
        raise _refused(f"Is nested more than {DEEPEST} deep", DEEPEST)
    try:
        value = json.loads(
            raw.decode("utf-8"),
            parse_constant=_no_constant,
            parse_float=_number,
            parse_int=_integer,
            object_pairs_hook=_members,
        )
    except UnicodeDecodeError as error:
        raise _refused("Is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise _refused(f"Is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from error
    # Both can be written as an escape alone: UTF-8 has no surrogates, and JSON no raw control characters.
    if b"\\u" in raw:
        _check_texts(value)
    return value


def is_encoded(encoding: str) -> bool:
    """Whether a Content-Encoding says that the body is not what it looks like; nobody here decodes it."""
    return encoding.strip().lower() not in ("", "identity")


def storable(text: str) -> bool:
    """Whether both databases store this text: no U+0000, no lone surrogate."""
    return _UNSTORABLE.search(text) is None


def depth_of(raw: bytes, most: int = DEEPEST) -> int:
    """How deep arrays and objects are nested, without parsing; it stops counting beyond ``most``."""
    depth = deepest = 0
    for bracket in _TEXT.sub(b"", raw).translate(None, _NO_BRACKET):
        depth += 1 if bracket in b"[{" else -1
        if depth > deepest:
            deepest = depth
            if deepest > most:
                break
    return deepest


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValidationFailed.of(name[:64], "Given more than once")
            seen.add(name)
    return members


def _check_texts(value: object) -> None:
    if not all(map(storable, texts_of(value))):
        raise _refused(f"Holds {NOT_TEXT}")


def _no_constant(word: str) -> NoReturn:
    raise _refused(f"{word} is not a JSON number")


def _integer(text: str) -> int:
    _check_length(text)
    return int(text)


def _number(text: str) -> float:
    _check_length(text)
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise _refused(f"{text} is larger than a number can be")
    return value


def _check_length(text: str) -> None:
    if len(text) > LONGEST_NUMBER:
        raise _refused(f"A number has more than {LONGEST_NUMBER} characters", LONGEST_NUMBER)


def _refused(problem: str, limit: int | None = None) -> ValidationFailed:
    details = {} if limit is None else {"limit": limit}
    return ValidationFailed(f"body: {problem}", fields={"body": problem}, **details)
