"""Cipher suites 3 and 17, and the keys and codes that RAKP derives (IPMI 2.0, 13.28 to 13.32)."""

import hashlib
import hmac
import os
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_BLOCK = 16


@dataclass(frozen=True, kw_only=True)
class CipherSuite:
    """One row of table 22-20; all codes of a suite come from the same hash function."""

    number: int
    authentication: int
    integrity: int
    confidentiality: int
    hash_name: str
    code_length: int  # bytes of the integrity check value

    def mac(self, key: bytes, data: bytes) -> bytes:
        """The whole keyed hash, as RAKP messages 2 and 3 carry it."""
        return hmac.new(key, data, getattr(hashlib, self.hash_name)).digest()

    def check(self, key: bytes, data: bytes) -> bytes:
        """The shortened keyed hash that guards a packet, and RAKP message 4."""
        return self.mac(key, data)[: self.code_length]


SUITES = (
    CipherSuite(
        number=17, authentication=3, integrity=4, confidentiality=1, hash_name="sha256", code_length=16
    ),
    CipherSuite(number=3, authentication=1, integrity=1, confidentiality=1, hash_name="sha1", code_length=12),
)


@dataclass(frozen=True, kw_only=True)
class Keys:
    """The session keys that both sides hold after RAKP."""

    sik: bytes  # session integrity key
    k1: bytes  # guards packets
    k2: bytes  # its first 16 bytes encrypt payloads

    @classmethod
    def derive(cls, suite: CipherSuite, password: bytes, seed: bytes) -> "Keys":
        """No separate BMC key is set, so the user's key stands in for it (13.31)."""
        sik = suite.mac(password, seed)
        return cls(sik=sik, k1=suite.mac(sik, b"\x01" * 20), k2=suite.mac(sik, b"\x02" * 20))


def encrypt(keys: Keys, plain: bytes) -> bytes:
    """AES-CBC-128 with the pad 01 02 03 … and its length in the last byte (13.29)."""
    pad = -(len(plain) + 1) % _BLOCK
    vector = os.urandom(_BLOCK)
    cipher = Cipher(algorithms.AES(keys.k2[:_BLOCK]), modes.CBC(vector)).encryptor()
    padded = plain + bytes(range(1, pad + 1)) + bytes([pad])
    return vector + cipher.update(padded) + cipher.finalize()


def decrypt(keys: Keys, payload: bytes) -> bytes | None:
    """The plain payload, or nothing when it cannot be one of ours."""
    if len(payload) < 2 * _BLOCK or len(payload) % _BLOCK:
        return None
    cipher = Cipher(algorithms.AES(keys.k2[:_BLOCK]), modes.CBC(payload[:_BLOCK])).decryptor()
    padded = cipher.update(payload[_BLOCK:]) + cipher.finalize()
    pad = padded[-1]
    if pad >= _BLOCK or padded[-1 - pad : -1] != bytes(range(1, pad + 1)):
        return None
    return padded[: -1 - pad]
