"""Signatures of Standard Webhooks 1.0, symmetric form ``v1``.

The signed text is ``<id>.<timestamp>.<body>``; during a rotation the header carries one signature for each
secret in force, so that receivers with the old and with the new secret both accept the message.
"""

import base64
import binascii
import hmac
import re
import secrets as random_secrets
from collections.abc import Sequence

from app.domain.errors import ValidationFailed

PREFIX = "whsec_"
_MESSAGE_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


def new_secret() -> str:
    """A fresh secret: ``whsec_`` and the base64 of 32 random bytes."""
    return PREFIX + base64.b64encode(random_secrets.token_bytes(32)).decode()


def sign(secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of a message; `timestamp` in seconds since 1970, one signature for each secret.

    Raises `ValidationFailed` for a secret that is not ``whsec_`` and base64 of 24 to 64 bytes.
    """
    if not secrets or not _MESSAGE_ID.fullmatch(message_id):
        raise ValueError("signing needs a secret and a message id without full stops or spaces")
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(_signature(secret, message_id, timestamp, body) for secret in secrets),
    }


def _signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    message = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(_key(secret), message, "sha256")).decode()


def _key(secret: str) -> bytes:
    text = secret.removeprefix(PREFIX)
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or not 24 <= len(key) <= 64:
        raise ValidationFailed.of("secret", "Must be whsec_ and base64 of 24 to 64 bytes")
    return key
