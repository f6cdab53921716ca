"""Tokens that clients and third parties hold: hook tokens and page cursors (contracts/runs.rst#paging)."""

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from typing import Any

from app.auth.keyfiles import state_secret
from app.config import Settings, SettingsError
from app.domain.errors import ValidationFailed

LONGEST_CURSOR = 1024

_HOOK_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_FILTER = "filter"


def issue_hook_token() -> tuple[str, str]:
    """A hook token of 256 random bits, to be handed out once, and the hash to be stored."""
    token = secrets.token_urlsafe(32)
    return token, hook_hash(token)


def hook_hash(token: str) -> str:
    """SHA-256 of a hook token as 64 hex digits, the only form that is stored and looked up."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def is_hook_token(text: str) -> bool:
    """Whether the text has the form of a hook token; anything else needs no look-up."""
    return _HOOK_TOKEN.fullmatch(text) is not None


def filter_hash(**filters: Any) -> str:
    """The same 16 characters for the same tenant, list and filters, whatever their order."""
    text = json.dumps(filters, sort_keys=True, separators=(",", ":"), default=str)
    return _text(hashlib.sha256(text.encode()).digest()[:12])


class Cursors:
    """Page cursors: opaque to clients, readable by us, not to be changed or used on another list.

    ``base64url(JSON of the position and the filter hash) + "." + MAC`` (contracts/runs.rst#paging).
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def encode(self, position: Mapping[str, Any], filter_hash: str) -> str:
        """The cursor for a position such as ``{"id": "run_…"}`` in the list with these filters."""
        if _FILTER in position:
            raise ValueError("a position has no member named filter")
        content = {**position, _FILTER: filter_hash}
        body = _text(json.dumps(content, separators=(",", ":"), allow_nan=False).encode())
        return f"{body}.{self._mac(body)}"

    def decode(self, text: str, filter_hash: str) -> dict[str, Any]:
        """The position; raises `ValidationFailed` on ``cursor`` when changed or made for other filters."""
        body, _, mac = text.partition(".")
        # The texts are compared, not the bytes: base64 spells one MAC in several ways.
        genuine = hmac.compare_digest(self._mac(body).encode(), mac.encode("utf-8", "replace"))
        if len(text) > LONGEST_CURSOR or not genuine:
            raise ValidationFailed.of(
                "cursor", "Not a cursor of this service: use nextCursor of the page before"
            )
        content: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        if content.pop(_FILTER) != filter_hash:
            raise ValidationFailed.of(
                "cursor", "Belongs to a list with other filters: start at its first page"
            )
        return content

    def _mac(self, body: str) -> str:
        message = b"windlass cursor v1\0" + body.encode("utf-8", "replace")
        return _text(hmac.digest(self._key, message, "sha256"))


def cursors(settings: Settings) -> Cursors:
    """The cursors of this installation, signed with its setting or with a key in the state folder."""
    if not settings.cursor_key:
        return Cursors(state_secret(settings, "cursor.key"))
    if len(settings.cursor_key) < 16:
        raise SettingsError("WINDLASS_CURSOR_KEY: needs at least 16 characters")
    return Cursors(settings.cursor_key.encode())


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
