"""Key rings for sealing: X25519 keys with ids, the newest last.

As text, in a setting or a file, a ring is lines of ``<key id> <base64 of 32 bytes>``; empty lines and lines
that begin with ``#`` are skipped. The public ring goes wherever secrets are written, the private ring to
workers alone. With empty settings both live in the state folder as ``keys/sealing.pub`` and
``keys/sealing.key``.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from app.auth.keyfiles import alone, key_folder, read_or_create, replace
from app.config import Settings, SettingsError

PUBLIC_FILE, PRIVATE_FILE = "sealing.pub", "sealing.key"

_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, kw_only=True)
class Ring:
    """Raw X25519 keys of one kind (public or private) by key id, oldest first."""

    keys: dict[str, bytes] = field(repr=False)  # Never empty; each key has 32 bytes.

    @property
    def newest(self) -> str:
        """The id of the key that seals."""
        return next(reversed(self.keys))

    @property
    def text(self) -> str:
        """The ring as lines, newest last."""
        return "".join(f"{name} {base64.b64encode(key).decode()}\n" for name, key in self.keys.items())

    @classmethod
    def parse(cls, text: str, source: str = "key ring") -> "Ring":
        """Read a ring; raises `SettingsError` that names the source and the line, never the key."""
        keys: dict[str, bytes] = {}
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            name, _, encoded = line.strip().partition(" ")
            key = _decoded(encoded.strip())
            if not _KEY_ID.fullmatch(name) or len(key) != 32 or name in keys:
                raise SettingsError(f"{source}, line {number}: expected a new key id and base64 of 32 bytes")
            keys[name] = key
        if not keys:
            raise SettingsError(f"{source}: holds no key")
        return cls(keys=keys)


def new_private_ring() -> Ring:
    """A private ring with one fresh key."""
    return Ring(keys=_fresh_key())


def rotated(private: Ring) -> Ring:
    """The private ring with a fresh key at its end; the old keys still open."""
    return Ring(keys={**private.keys, **_fresh_key()})


def public_of(private: Ring) -> Ring:
    """The public ring that belongs to a private one."""
    return Ring(keys={name: _public_bytes(key) for name, key in private.keys.items()})


def create_ring_pair(folder: Path) -> tuple[Path, Path]:
    """Make sure that a public and a private ring file exist; answers their paths (private is mode 0600).

    The private ring decides and the public one follows from it, so that any number of processes may race.
    A public ring alone means that the private one is kept elsewhere: then no new one is made.
    """
    public, private = folder / PUBLIC_FILE, folder / PRIVATE_FILE
    if not public.exists():
        made = read_or_create(private, lambda: new_private_ring().text.encode())
        ring = public_of(Ring.parse(made.decode(), str(private)))
        read_or_create(public, ring.text.encode, mode=0o644)
    return public, private


def rotate(settings: Settings) -> str:
    """Add a fresh key to the rings in the state folder and answer its id.

    The private ring is written first: nobody seals to a key that workers cannot open yet. Raises
    `SettingsError` when the rings come from the settings, where the operator adds the key.
    """
    if settings.sealing_public_key or settings.sealing_private_key:
        raise SettingsError("The sealing keys come from the settings; add the new key there")
    public, private = create_ring_pair(key_folder(settings))
    with alone(key_folder(settings)):
        ring = rotated(_from_file(private))
        replace(private, ring.text.encode())
        replace(public, public_of(ring).text.encode(), mode=0o644)
    return ring.newest


def public_ring(settings: Settings) -> Ring:
    """The public ring in force: the setting, else what the private setting implies, else the state folder."""
    if settings.sealing_public_key:
        return Ring.parse(settings.sealing_public_key, "WINDLASS_SEALING_PUBLIC_KEY")
    if settings.sealing_private_key:
        return public_of(private_ring(settings))
    return _from_file(create_ring_pair(key_folder(settings))[0])


def private_ring(settings: Settings) -> Ring:
    """The private ring in force; raises `SettingsError` where there is only a public one."""
    if settings.sealing_private_key:
        return Ring.parse(settings.sealing_private_key, "WINDLASS_SEALING_PRIVATE_KEY")
    if settings.sealing_public_key:
        raise SettingsError("WINDLASS_SEALING_PRIVATE_KEY is needed to open sealed secrets")
    return _from_file(create_ring_pair(key_folder(settings))[1])


def _from_file(path: Path) -> Ring:
    try:
        return Ring.parse(path.read_text(), str(path))
    except OSError as error:
        raise SettingsError(f"The key ring {path} cannot be read: {error.strerror}") from error


def _fresh_key() -> dict[str, bytes]:
    private = X25519PrivateKey.generate().private_bytes_raw()
    return {f"x{hashlib.sha256(_public_bytes(private)).hexdigest()[:12]}": private}


def _public_bytes(private: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""
