"""Identifiers: ``prefix_`` and a ULID with 80 random bits (contracts/runs.rst#identifiers)."""

import hashlib
import re
import secrets
import time
from uuid import UUID

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
RESOURCE_LOCK = re.compile(r"[a-z]+/[A-Za-z0-9_-]{1,128}")


def new_id(prefix: str) -> str:
    """A fresh identifier; later ones sort after earlier ones."""
    value = (time.time_ns() // 1_000_000 << 80) | secrets.randbits(80)
    return f"{prefix}_" + "".join(_ALPHABET[value >> shift & 31] for shift in range(125, -1, -5))


def derived_id(prefix: str, *origin: str) -> str:
    """The identifier that belongs to this origin: the same one for whoever asks again."""
    digest = hashlib.sha256("\0".join(origin).encode()).digest()
    value = int.from_bytes(digest[:16], "big")
    return f"{prefix}_" + "".join(_ALPHABET[value >> shift & 31] for shift in range(125, -1, -5))


def request_id(region: str) -> str:
    """`req_{region}-{unix ms}-{12 hex}` (contracts/runs.rst#identifiers)."""
    return f"req_{region}-{time.time_ns() // 1_000_000}-{secrets.token_hex(6)}"


def well_formed(text: str, prefix: str) -> bool:
    """Whether a path names a resource of this prefix at all; runs may carry ids of their own choosing."""
    if prefix == "run":
        return RUN_ID.fullmatch(text) is not None
    return re.fullmatch(rf"{prefix}_[{_ALPHABET}]{{26}}", text) is not None


def batch_id() -> str:
    """A UUID of version 7 as text: a batch and its run share it."""
    value = (time.time_ns() // 1_000_000 << 80) | 0x7 << 76 | secrets.randbits(12) << 64
    value |= 0b10 << 62 | secrets.randbits(62)
    return str(UUID(int=value))
