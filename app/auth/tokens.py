"""Tokens that clients and third parties hold: hook tokens and page cursors (contracts/runs.rst#paging)."""

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import Any

from itsdangerous import BadData, URLSafeSerializer

from app.auth.keyfiles import state_secret
from app.config import Settings, SettingsError
from app.domain.errors import ValidationFailed

LONGEST_CURSOR = 1024


def issue_hook_token() -> tuple[str, str]:
    """A hook token of 256 random bits, to be handed out once, and the hash to be stored."""
    token = secrets.token_urlsafe(32)
    return token, hook_hash(token)


def hook_hash(token: str) -> str:
    """SHA-256 of a hook token as 64 hex digits, the only form that is stored and looked up."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def filter_hash(**filters: Any) -> str:
    """The same 16 characters for the same tenant, list and filters, whatever their order."""
    text = json.dumps(filters, sort_keys=True, separators=(",", ":"), default=str)
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:12]).decode()


class Cursors:
    """Page cursors: opaque, not to be changed or used on another list (contracts/runs.rst#paging)."""

    def __init__(self, key: bytes) -> None:
        how = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
        self._signed = URLSafeSerializer(key, salt="windlass cursor", signer_kwargs=how)

    def encode(self, position: Mapping[str, Any], filter_hash: str) -> str:
        """The cursor for a position such as ``{"id": "run_…"}`` in the list with these filters."""
        return str(self._signed.dumps([position, filter_hash]))

    def decode(self, text: str, filter_hash: str) -> dict[str, Any]:
        """The position; raises `ValidationFailed` on ``cursor`` when changed or made for other filters."""
        position, made_for = self._read(text)
        if made_for != filter_hash:
            raise ValidationFailed.of(
                "cursor", "Belongs to a list with other filters: start at its first page"
            )
        return position

    def _read(self, text: str) -> tuple[dict[str, Any], str]:
        try:
            if len(text) <= LONGEST_CURSOR:
                position, made_for = self._signed.loads(text)
                return position, made_for
        except (BadData, UnicodeError):
            pass  # Whoever changed it learns as much as who made it up.
        raise ValidationFailed.of("cursor", "Not a cursor of this service: use nextCursor of the page before")


def cursors(settings: Settings) -> Cursors:
    """The cursors of this installation, signed with its setting or with a key in the state folder."""
    if not settings.cursor_key:
        return Cursors(state_secret(settings, "cursor.key"))
    if len(settings.cursor_key) < 16:
        raise SettingsError("WINDLASS_CURSOR_KEY: needs at least 16 characters")
    return Cursors(settings.cursor_key.encode())
