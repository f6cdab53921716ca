"""What operating the service sends: keys, sessions, the audit log, bulk results, remarks, findings."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from windlass.decode import Model


@dataclass(frozen=True, kw_only=True)
class ApiKey(Model):
    """An API key; ``token`` and ``callback_secret`` are there only when it was just made."""

    id: str = ""
    name: str = ""
    prefix: str = ""
    scopes: tuple[str, ...] = ()
    state: str = ""
    token: str | None = None
    callback_secret: str | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None
    used_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class LoginSession(Model):
    """A session of a person who logged in with a key."""

    id: str = ""
    key_id: str = ""
    agent: str | None = None
    created_at: datetime | None = None
    seen_at: datetime | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class AuditEntry(Model):
    """A change: who made it, on what, why, and what it was before."""

    id: str = ""
    at: datetime | None = None
    actor: str = ""
    key_id: str | None = None
    door: str | None = None
    action: str = ""
    resource_type: str = ""
    resource_id: str | None = None
    reason: str | None = None
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    request_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Bulk(Model):
    """What was, or would be, done to many runs; ``refused`` and ``results`` name each."""

    action: str = ""
    dry_run: bool = False
    matched: int = 0
    considered: int = 0
    possible: int = 0
    refused: tuple[Any, ...] = ()
    results: tuple[Any, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Note(Model):
    """What an operator did to a run, or said about it."""

    seq: int = 0
    at: datetime | None = None
    actor: str | None = None
    action: str | None = None
    text: str | None = None


@dataclass(frozen=True, kw_only=True)
class Hit(Model):
    """Something that a text may mean."""

    kind: str = ""
    id: str = ""
    name: str | None = None
    state: str | None = None
    href: str = ""


@dataclass(frozen=True, kw_only=True)
class Finding(Model):
    """Something that does not hold, and what to do about it."""

    invariant: str = ""
    run: str | None = None
    what: str = ""
    todo: str = ""
