"""API keys and what they may do (contracts/runs.rst#keys-and-actors).

A token reads ``wlk_<prefix>_<secret>``: 8 visible characters that name the key in lists and look-ups,
and 256 random bits. A fast hash is right for a secret of that strength: there is nothing to guess.
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from app.domain.errors import Forbidden, Unauthorized, ValidationFailed

SCOPES = ("runs:read", "runs:write", "servers:read", "servers:write", "webhooks", "apps", "admin")
RESERVED_NAMES = frozenset({"local", "projector"})  # Actors of the service itself.

_TOKEN = re.compile(r"wlk_([a-z2-7]{8})_([A-Za-z0-9_-]{43})")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


@dataclass(frozen=True, kw_only=True)
class Principal:
    """Whoever makes a request."""

    name: str
    scopes: frozenset[str]
    key_id: str | None = None  # Of the API key that was presented, also by a session.
    door: str = "cli"  # Through which the request came: api, console or cli.
    request_id: str | None = None

    @property
    def actor(self) -> str:
        """The name under which runs and events record this principal: ``usr_<name>``."""
        return f"usr_{self.name}"

    def allows(self, scope: str) -> bool:
        """Whether this principal holds the scope; ``admin`` implies every other."""
        if scope not in SCOPES:
            raise ValueError(f"{scope!r} is not a scope")
        return scope in self.scopes or "admin" in self.scopes


LOCAL = Principal(name="local", scopes=frozenset(SCOPES))


@dataclass(frozen=True, kw_only=True)
class KeyRecord:
    """What is stored of an API key: everything but the secret."""

    name: str
    prefix: str  # The 8 visible characters of the token.
    hash: str  # SHA-256 of the whole token, 64 hex digits.
    scopes: tuple[str, ...]  # In the order of SCOPES.

    @property
    def principal(self) -> Principal:
        """Whoever presents this key."""
        return Principal(name=self.name, scopes=frozenset(self.scopes))


def issue(name: str, scopes: Iterable[str]) -> tuple[str, KeyRecord]:
    """A new token, to be shown once, and the record to be stored.

    Raises `ValidationFailed` for a name that is reserved or not ``[a-z0-9-]{1,63}``, or for unknown scopes.
    """
    wanted = _checked_scopes(scopes)
    if not _NAME.fullmatch(name) or name in RESERVED_NAMES:
        raise ValidationFailed.of("name", "Must be 1 to 63 of a-z, 0-9 and -, and not local or projector")
    prefix = base64.b32encode(secrets.token_bytes(5)).decode().lower()
    token = f"wlk_{prefix}_{secrets.token_urlsafe(32)}"
    return token, KeyRecord(name=name, prefix=prefix, hash=hash_of(token), scopes=wanted)


def prefix_of(token: str) -> str:
    """The visible part that a stored key is looked up by; raises `Unauthorized` when it is no token."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise Unauthorized
    return match[1]


def hash_of(token: str) -> str:
    """SHA-256 of a token as 64 hex digits, the only form that is stored."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def verify(token: str, stored_hash: str) -> bool:
    """Whether the token is the one whose hash is stored, in time that does not depend on the answer."""
    return hmac.compare_digest(hash_of(token).encode(), stored_hash.encode())


def require(principal: Principal, scope: str) -> None:
    """Raise `Forbidden` unless the principal holds the scope."""
    if not principal.allows(scope):
        raise Forbidden(f"This request needs the scope {scope}.", scope=scope)


def _checked_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    wanted = set(scopes)
    unknown = sorted(wanted.difference(SCOPES))
    if unknown or not wanted:
        problem = f"unknown: {', '.join(unknown)}" if unknown else "at least one is needed"
        raise ValidationFailed.of("scopes", f"{problem}; there are {', '.join(SCOPES)}")
    return tuple(scope for scope in SCOPES if scope in wanted)
