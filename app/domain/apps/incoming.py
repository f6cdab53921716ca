"""One event as a client sends it, checked for its form before anything is read or written."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.domain.apps.refusal import bad
from app.domain.apps.words import FROM_CLIENTS, EventType

OF_AN_ENTITY = ("step_", "hook_", "wait_")
MOST_SPEC = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """An event that is well formed; whether it has an effect is decided by what there is already."""

    run_id: str
    type: EventType
    correlation_id: str | None
    spec_version: int | None
    data: Mapping[str, Any] | None  # As it was sent, unknown members and all.

    @property
    def facts(self) -> Mapping[str, Any]:
        """The data, or nothing."""
        return self.data or {}


def incoming(run_id: str, body: object) -> Incoming:
    """The event of a request's body; refuses with 400 what could never be stored."""
    if not isinstance(body, Mapping):
        raise bad("the body must be an object with eventType")
    kind, data = body.get("eventType"), body.get("eventData")
    if kind not in FROM_CLIENTS:
        raise bad(f"unknown event type: {'undefined' if kind is None else kind}")
    if data is not None and not isinstance(data, Mapping):
        raise bad("eventData must be an object")
    correlation = body.get("correlationId")
    if correlation is not None and not isinstance(correlation, str):
        raise bad("correlationId must be a string")
    made = Incoming(
        run_id=run_id,
        type=EventType(kind),
        correlation_id=correlation or None,
        spec_version=_spec(body.get("specVersion")),
        data=data,
    )
    _require(made)
    return made


def instant(value: object, name: str) -> int | None:
    """Milliseconds since 1970 of a date as JavaScript writes it; None when there is none."""
    if value is None:
        return None
    try:
        if isinstance(value, str):
            at = datetime.fromisoformat(value)
            return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return int(datetime.fromtimestamp(value / 1000, UTC).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        pass
    raise bad(f"{name} must be a date, for example 2030-01-01T00:00:00.000Z")


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
        EventType.RUN_CREATED: ("workflowName", "deploymentId"),
        EventType.STEP_CREATED: ("stepName",),
        EventType.HOOK_CREATED: ("token",),
    }.get(event.type, ())
    for name in needed:
        if not isinstance(event.facts.get(name), str) or not event.facts[name]:
            raise bad(f"{event.type} needs eventData.{name}")
    for name in ("stepName", "workflowName", "deploymentId", "token", "ownerId", "projectId", "environment"):
        if event.facts.get(name) is not None and not isinstance(event.facts[name], str):
            raise bad(f"eventData.{name} must be a string")
    for name in ("resumeAt", "retryAfter"):
        instant(event.facts.get(name), f"eventData.{name}")
