"""Secrets of applications: sealed with the key of their door, and bound to one application each."""

import base64
import binascii
import json
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from app.auth.keyfiles import SECRET_BYTES, state_secret
from app.config import Settings, SettingsError

FORMAT = "a1"
FILE = "apps.key"
NONCE_BYTES = 12


def sealed(settings: Settings, tenant: str, app: str, secret: bytes) -> str:
    """The secret as text that opens with the same key for the same application alone."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    box = nonce + ChaCha20Poly1305(_key(settings)).encrypt(nonce, secret, _bound(tenant, app))
    return f"{FORMAT}.{base64.urlsafe_b64encode(box).decode()}"


def opened(settings: Settings, tenant: str, app: str, text: str) -> bytes:
    """The secret in clear; raises `SettingsError` when the key is another one than it was sealed with."""
    try:
        form, _, box = text.partition(".")
        raw = base64.urlsafe_b64decode(box)
        if form == FORMAT:
            key = ChaCha20Poly1305(_key(settings))
            return key.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _bound(tenant, app))
    except (InvalidTag, ValueError):
        pass
    raise SettingsError(
        f"The secret of the application {app} does not open: WINDLASS_APPS_KEY is another one than it was"
        " sealed with"
    )


def _key(settings: Settings) -> bytes:
    if not settings.apps_key:
        return state_secret(settings, FILE)
    try:
        key = base64.b64decode(settings.apps_key, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != SECRET_BYTES:
        raise SettingsError(f"WINDLASS_APPS_KEY must be {SECRET_BYTES} bytes in base64")
    return key


def _bound(tenant: str, app: str) -> bytes:
    return json.dumps([tenant, app], separators=(",", ":")).encode()
