"""A reader for the part of CBOR (RFC 8949) that the queue needs: where values end, and a few plain values.

The bytes of a message are passed on unchanged, so nothing else is decoded, and unknown tags do no harm.
"""

import struct

MOST_ITEMS = 1_048_576
DEEPEST = 200
UNDEFINED, BREAK = 23, 31
_BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = 2, 3, 4, 5, 6, 7
TOO_MANY = f"more than {MOST_ITEMS} values, or nested more than {DEEPEST} deep"
Span = tuple[int, int]


class Malformed(ValueError):
    """The bytes are not CBOR."""


class Budget:
    """How many values may still be read; one budget serves the whole body of a request."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MOST_ITEMS

    def spend(self) -> None:
        """Count one value; raises `Malformed` when there are too many."""
        self.left -= 1
        if self.left < 0:
            raise Malformed(TOO_MANY)


def members(raw: bytes, start: int = 0) -> tuple[dict[str, Span], int]:
    """The spans of a map's values, by names that are text (others are left out); and the end of the map."""
    major, count, at = _head(raw, start)
    if major != _MAP:
        raise Malformed("a map is needed")
    found: dict[str, Span] = {}
    budget = Budget()
    while count != 0 and not (count is None and _is_break(raw, at)):
        name_at, value_at = at, end_of(raw, at, budget)
        at = end_of(raw, value_at, budget)
        name = text(raw, name_at)
        if name is not None:
            found[name] = (value_at, at)
        count = None if count is None else count - 1
    return found, at + (1 if count is None else 0)


def end_of(raw: bytes, start: int, budget: Budget | None = None) -> int:
    """The end of the value that starts here; raises `Malformed` when it is cut off, or has too many parts."""
    at, budget = start, budget or Budget()
    inside = [_Inside(1)]
    while inside:
        here = inside[-1]
        if here.left == 0 or (here.left is None and _is_break(raw, at)):
            if here.left is None:
                if here.is_map and here.seen % 2:
                    raise Malformed(f"a map ends after a name at byte {at}")
                at += 1
            inside.pop()
            continue
        budget.left -= 1
        if budget.left < 0 or len(inside) > DEEPEST:
            raise Malformed(TOO_MANY)
        here.seen += 1
        here.left = None if here.left is None else here.left - 1
        at = _past(raw, at, inside, budget)
    return at


def text(raw: bytes, start: int) -> str | None:
    """The text that starts here; None for any other value."""
    if start >= len(raw) or raw[start] >> 5 != _TEXT:
        return None
    major, length, at = _head(raw, start)
    if length is not None:
        return _utf8(_slice(raw, at, length))
    parts = []
    while not _is_break(raw, at):
        inner, length, at = _head(raw, at)
        if inner != major or length is None:
            raise Malformed(f"a part of a text is none at byte {at}")
        parts.append(_slice(raw, at, length))
        at += length
    return _utf8(b"".join(parts))


def plain(raw: bytes, start: int) -> object:
    """The number, text, boolean or null that starts here; None for undefined, `...` for anything else."""
    major, value, at = _head(raw, start)
    if major == 0:
        return value
    if major == 1 and value is not None:
        return -1 - value
    if major == _TEXT:
        return text(raw, start)
    if major != _SIMPLE:
        return ...
    size = at - start - 1
    if size in (2, 4, 8):
        return struct.unpack({2: ">e", 4: ">f", 8: ">d"}[size], raw[start + 1 : at])[0]
    return {20: False, 21: True, 22: None, UNDEFINED: None}.get(value or 0, ...)


def head_of(major: int, value: int) -> bytes:
    """The head of a value: its major type and its length or number."""
    if value < 24:
        return bytes([major << 5 | value])
    size, code = next(
        (size, code) for size, code in ((1, 24), (2, 25), (4, 26), (8, 27)) if value < 1 << 8 * size
    )
    return bytes([major << 5 | code]) + value.to_bytes(size, "big")


def text_bytes(value: str) -> bytes:
    """CBOR for a text."""
    encoded = value.encode()
    return head_of(_TEXT, len(encoded)) + encoded


def map_bytes(values: dict[str, bytes]) -> bytes:
    """CBOR for a map whose values are CBOR already."""
    return head_of(_MAP, len(values)) + b"".join(text_bytes(name) + value for name, value in values.items())


def number_bytes(value: int) -> bytes:
    """CBOR for an integer that is not negative."""
    return head_of(0, value)


class _Inside:
    """An array, map or tag that is being read; ``left`` is None for an indefinite length."""

    __slots__ = ("is_map", "left", "seen")

    def __init__(self, left: int | None, is_map: bool = False) -> None:
        self.left, self.is_map, self.seen = left, is_map, 0


def _past(raw: bytes, start: int, inside: list[_Inside], budget: Budget) -> int:
    """Skip one head and its bytes; a value with further values inside is added to ``inside``."""
    major, value, at = _head(raw, start)
    if major in (_BYTES, _TEXT):
        if value is None:
            return _past_parts(raw, at, major, budget)
        part = _slice(raw, at, value)
        if major == _TEXT:
            _utf8(part)
        return at + value
    if major in (_ARRAY, _MAP):
        is_map = major == _MAP
        inside.append(_Inside(value if value is None else value * (2 if is_map else 1), is_map))
    elif major == _TAG:
        inside.append(_Inside(1))
    elif value is None:
        raise Malformed(f"an end without a beginning at byte {start}")
    return at


def _past_parts(raw: bytes, at: int, kind: int, budget: Budget) -> int:
    while not _is_break(raw, at):
        budget.spend()  # Even an empty part takes as much time as a value.
        major, length, at = _head(raw, at)
        if major != kind or length is None:
            raise Malformed(f"a part of a text or of bytes is none at byte {at}")
        part = _slice(raw, at, length)
        if kind == _TEXT:
            _utf8(part)
        at += length
    return at + 1


def _head(raw: bytes, at: int) -> tuple[int, int | None, int]:
    """Major type, number and end of a head; the number is None for an indefinite length."""
    if at >= len(raw):
        raise Malformed("the value ends too early")
    major, short = raw[at] >> 5, raw[at] & 31
    if short < 24:
        return major, short, at + 1
    if short < 28:
        size = 1 << (short - 24)
        value = int.from_bytes(_slice(raw, at + 1, size), "big")
        if major == _SIMPLE and size == 1 and value < 32:
            raise Malformed(f"a simple value in two bytes at byte {at}")
        return major, value, at + 1 + size
    if short != BREAK or major in (0, 1, _TAG):
        raise Malformed(f"an unknown length at byte {at}")
    return major, None, at + 1


def _is_break(raw: bytes, at: int) -> bool:
    if at >= len(raw):
        raise Malformed("the value ends too early")
    return raw[at] == 0xFF


def _slice(raw: bytes, at: int, length: int) -> bytes:
    if at + length > len(raw):
        raise Malformed("the value ends too early")
    return raw[at : at + length]


def _utf8(part: bytes) -> str:
    try:
        return part.decode()
    except UnicodeDecodeError:
        raise Malformed("a text is not UTF-8") from None
