"""Checks the form of an event that a client sends, before anything is read or written."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from app.domain.apps.refusal import bad
from app.domain.apps.words import FROM_CLIENTS, AppEventType

OF_AN_ENTITY = ("step_", "hook_", "wait_")
MOST_SPEC = 2**31 - 1
MOST_ATTEMPTS = 2**31 - 2
# Bytes in UTF-8, for indexed texts; an entry of PostgreSQL's indexes has at most 2,700 bytes in all.
LONGEST = {
    "runId": 256,
    "correlationId": 512,
    "workflowName": 1024,
    "deploymentId": 512,
    "stepName": 1024,
    "token": 1024,
    "ownerId": 512,
    "projectId": 512,
    "environment": 512,
}
# The members of an event's data that become columns; all others are stored as sent.
STORED = {
    AppEventType.RUN_CREATED: ("workflowName", "deploymentId"),
    AppEventType.RUN_STARTED: ("workflowName", "deploymentId"),
    AppEventType.STEP_CREATED: ("stepName",),
    AppEventType.STEP_STARTED: ("stepName",),
    AppEventType.HOOK_CREATED: ("token", "ownerId", "projectId", "environment"),
}
DATES = {AppEventType.WAIT_CREATED: ("resumeAt",), AppEventType.STEP_RETRYING: ("retryAfter",)}
_1970 = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """A well-formed event; `app.domain.apps.decide` decides its effect."""

    run_id: str
    type: AppEventType
    correlation_id: str | None
    spec_version: int | None
    data: Mapping[str, Any] | None  # As it was sent, unknown members and all.

    @property
    def facts(self) -> Mapping[str, Any]:
        """The data, or an empty object."""
        return self.data or {}


def incoming(run_id: str, body: object) -> Incoming:
    """The event in a request's body; raises `Refused` (400) for what could never be stored."""
    if not isinstance(body, Mapping):
        raise bad("the body must be an object with eventType")
    kind, data = body.get("eventType"), body.get("eventData")
    if not isinstance(kind, str) or kind not in FROM_CLIENTS:
        raise bad(f"unknown event type: {'undefined' if kind is None else str(kind)[:64]}")
    if data is not None and not isinstance(data, Mapping):
        raise bad("eventData must be an object")
    correlation = body.get("correlationId")
    searched("runId", run_id)
    searched("correlationId", correlation)
    made = Incoming(
        run_id=run_id,
        type=AppEventType(kind),
        correlation_id=correlation or None,
        spec_version=_spec(body.get("specVersion")),
        data=data,
    )
    _require(made)
    return made


def searched(name: str, value: object, *, shown: str | None = None) -> None:
    """Refuse (400) a value that no database could store and search for; None is accepted."""
    if value is None:
        return
    shown = shown or name
    if not isinstance(value, str):
        raise bad(f"{shown} must be a string")
    searchable(shown, value, longest=LONGEST[name])


def searchable(name: str, value: str | None, *, longest: int | None = None) -> None:
    """Refuse (400) a text that no database could search for, or that has more than ``longest`` bytes.

    None is accepted.
    """
    if value is None:
        return
    if not storable(value):
        raise bad(f"{name} must have neither U+0000 nor half a surrogate pair")
    if longest is not None and len(value.encode()) > longest:
        raise bad(f"{name} must have at most {longest} bytes")


def storable(text: str) -> bool:
    """Whether every database can store a text unchanged; otherwise no row can have it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def instant(value: object, name: str) -> int | None:
    """Milliseconds since 1970 of a date that JavaScript can parse; None without a value."""
    if value is None:
        return None
    try:
        if isinstance(value, str):
            at = _date(value)
            at = at if at.tzinfo else at.replace(tzinfo=UTC)
            # Converted here and not later: with its offset the date may be outside of the supported years.
            return (at.astimezone(UTC) - _1970) // _MS
        if isinstance(value, int | float) and not isinstance(value, bool):
            return (_1970 + timedelta(milliseconds=int(value)) - _1970) // _MS
    except (ValueError, OverflowError):
        pass
    raise bad(f"{name} must be a date, for example 2030-01-01T00:00:00.000Z")


def _date(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        return parsedate_to_datetime(text)  # "Tue, 01 Jan 2030 00:00:00 GMT"


def _spec(value: object) -> int | None:
    if value is None or value == 0:
        return None
    if type(value) is not int or not 0 < value <= MOST_SPEC:
        raise bad("specVersion must be a positive integer")
    return value


def _require(event: Incoming) -> None:
    if event.type.startswith(OF_AN_ENTITY) and event.correlation_id is None:
        raise bad(f"{event.type} needs a correlationId")
    needed = {
        AppEventType.RUN_CREATED: ("workflowName", "deploymentId"),
        AppEventType.STEP_CREATED: ("stepName",),
        AppEventType.HOOK_CREATED: ("token",),
    }.get(event.type, ())
    for name in needed:
        if not isinstance(event.facts.get(name), str) or not event.facts[name]:
            raise bad(f"{event.type} needs eventData.{name}")
    for name in STORED.get(event.type, ()):
        searched(name, event.facts.get(name), shown=f"eventData.{name}")
    asked = event.facts.get("attempt")
    counted = asked is None or (type(asked) is int and 1 <= asked <= MOST_ATTEMPTS)
    if event.type == AppEventType.STEP_STARTED and not counted:
        raise bad("eventData.attempt must be a positive integer")
    for name in DATES.get(event.type, ()):
        instant(event.facts.get(name), f"eventData.{name}")
