"""Sealing: whoever holds the public key can write a secret, only holders of the private key can read it.

HPKE (RFC 9180, base mode, one message a context) with X25519, HKDF-SHA-256 and ChaCha20-Poly1305. The
binding goes into the context's ``info``: a secret that is moved to another machine, tenant or version no
longer opens. The text is ``v1.<key id>.<base64url>``.
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from app.auth.rings import Ring, private_ring, public_ring
from app.config import Settings
from app.domain.errors import Permanent

FORMAT = "v1"


class SealRefused(Permanent):
    """The sealed secret cannot be opened here; ``details.reason`` is form, key or binding."""

    nothing_happened = True


def binding(*, tenant_id: str, machine_id: str, version: int) -> str:
    """What a machine's credentials are bound to; different parts never give the same text."""
    return json.dumps([tenant_id, machine_id, version], separators=(",", ":"))


def key_id_of(sealed: str) -> str:
    """The id of the key that a secret is sealed to; raises `SealRefused` when it is not a sealed secret."""
    return _taken_apart(sealed)[0]


class Sealer:
    """Seals to the newest key of a public ring."""

    def __init__(self, ring: Ring) -> None:
        self._key_id = ring.newest
        self._key = X25519PublicKey.from_public_bytes(ring.keys[ring.newest])

    def seal(self, secret: Mapping[str, object], bound: str) -> str:
        """The secret (any JSON object) as text that opens only with the private key and the same binding."""
        plain = json.dumps(dict(secret), separators=(",", ":"), allow_nan=False).encode()
        box = _suite().encrypt(plain, self._key, _info(self._key_id, bound))
        return f"{FORMAT}.{self._key_id}.{base64.urlsafe_b64encode(box).decode().rstrip('=')}"

    def needs_reseal(self, sealed: str) -> bool:
        """Whether the secret is sealed to an older key than the newest."""
        return key_id_of(sealed) != self._key_id


class Opener:
    """Opens with any key of a private ring; asks for the ring again when a key is new to it."""

    def __init__(self, ring: Ring, reread: Callable[[], Ring] | None = None) -> None:
        self._ring = ring
        self._reread = reread

    def open(self, sealed: str, bound: str) -> dict[str, Any]:
        """The secret in clear; raises `SealRefused` on an unknown key, a wrong binding or a changed text."""
        key_id, box = _taken_apart(sealed)
        key = X25519PrivateKey.from_private_bytes(self._key(key_id))
        try:
            plain = _suite().decrypt(box, key, _info(key_id, bound))
        except (InvalidTag, ValueError) as error:
            problem = "The sealed secret does not belong here, or it was changed."
            raise SealRefused(problem, reason="binding") from error
        opened: dict[str, object] = json.loads(plain)
        return opened

    def _key(self, key_id: str) -> bytes:
        # A rotation may have added the key after this process read its ring.
        if key_id not in self._ring.keys and self._reread is not None:
            self._ring = self._reread()
        if key_id not in self._ring.keys:
            raise SealRefused(f"There is no private key {key_id} here.", reason="key")
        return self._ring.keys[key_id]


def sealer(settings: Settings) -> Sealer:
    """The sealer of this installation."""
    return Sealer(public_ring(settings))


def opener(settings: Settings) -> Opener:
    """The opener of this installation; raises `SettingsError` where there is no private ring."""
    return Opener(private_ring(settings), reread=lambda: private_ring(settings))


def _suite() -> Suite:
    return Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


def _info(key_id: str, bound: str) -> bytes:
    return json.dumps(["windlass.seal", FORMAT, key_id, bound]).encode()


def _taken_apart(sealed: str) -> tuple[str, bytes]:
    try:
        form, key_id, text = sealed.split(".")
        box = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (ValueError, binascii.Error) as error:
        raise SealRefused("This is not a sealed secret.", reason="form") from error
    if form != FORMAT:
        raise SealRefused("This is not a sealed secret of a known form.", reason="form")
    return key_id, box
