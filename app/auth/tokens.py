"""Tokens that clients and third parties hold: hook tokens and page cursors (contracts/runs.rst#paging)."""

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import Any

from itsdangerous import BadData, Signer
from itsdangerous.encoding import base64_decode, base64_encode

from app.auth.keyfiles import state_secret
from app.config import Settings, SettingsError
from app.domain.errors import ValidationFailed

LONGEST_CURSOR = 1024
_FILTER = "filter"


def issue_hook_token() -> tuple[str, str]:
    """A hook token of 256 random bits, to be handed out once, and the hash to be stored."""
    token = secrets.token_urlsafe(32)
    return token, hook_hash(token)


def hook_hash(token: str) -> str:
    """SHA-256 of a hook token as 64 hex digits, the only form that is stored and looked up."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def filter_hash(**filters: object) -> str:
    """The same 16 characters for the same tenant, list and filters, whatever their order."""
    text = json.dumps(filters, sort_keys=True, separators=(",", ":"), default=str)
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:12]).decode()


class Cursors:
    """Page cursors, which nobody can change or use on another list (contracts/runs.rst#paging).

    ``base64url(JSON of the position and the filter hash) + "." + signature``.
    """

    def __init__(self, key: bytes) -> None:
        self._signer = Signer(
            key, salt=b"windlass cursor", key_derivation="hmac", digest_method=hashlib.sha256
        )

    def encode(self, position: Mapping[str, object], filter_hash: str) -> str:
        """The cursor for a position such as ``{"id": "run_…"}`` in the list with these filters."""
        content = json.dumps({**position, _FILTER: filter_hash}, separators=(",", ":"), allow_nan=False)
        return self._signer.sign(base64_encode(content)).decode()

    def decode(self, text: str, filter_hash: str) -> dict[str, Any]:
        """The position; raises `ValidationFailed` on ``cursor`` when changed or made for other filters."""
        position = self._read(text)
        if position.pop(_FILTER) != filter_hash:
            raise ValidationFailed.of(
                "cursor", "Belongs to a list with other filters: start at its first page"
            )
        return position

    def _read(self, text: str) -> dict[str, object]:
        try:
            if len(text) <= LONGEST_CURSOR:
                body = self._signer.unsign(text.encode("utf-8", "replace"))
                content: dict[str, object] = json.loads(base64_decode(body))
                return content
        except BadData:
            pass  # Whoever changed one learns as much as who made one up.
        raise ValidationFailed.of("cursor", "Not a cursor of this service: use nextCursor of the page before")


def cursors(settings: Settings) -> Cursors:
    """The cursors of this installation, signed with its setting or with a key in the state folder."""
    if not settings.cursor_key:
        return Cursors(state_secret(settings, "cursor.key"))
    if len(settings.cursor_key) < 16:
        raise SettingsError("WINDLASS_CURSOR_KEY: needs at least 16 characters")
    return Cursors(settings.cursor_key.encode())
