"""Renders rows as the JSON that the DevKit's clients expect.

A user's payload is stored as JSON text and is copied into the answer unchanged: it is neither parsed nor
serialised again.
"""

from collections.abc import Iterable, Mapping
from json.encoder import encode_basestring_ascii
from typing import Any

from flask import Response, request

from app.domain.apps.decide import stamp
from app.domain.apps.slots import event_id
from app.domain.apps.words import AppEventType
from app.services.apps.read import Page
from app.services.apps.write import Written

Row = Mapping[str, Any]
JSON = "application/json; charset=utf-8"
NONE = "none"  # Value of the query parameter `resolveData`: leave out payloads.


def without_data() -> bool:
    """Whether the query of this request asks for no payloads."""
    return request.args.get("resolveData") == NONE


def replied(text: str, status: int = 200) -> Response:
    """A response whose body is JSON text already."""
    return Response(text, status, content_type=JSON)


def run(row: Row, *, bare: bool) -> str:
    """A run; ``bare`` leaves out payloads, here and below."""
    payloads = () if bare else (("input", row["input"]), ("output", row["output"]))
    return _object(
        ("runId", _text(row["id"])),
        ("status", _text(row["status"])),
        ("deploymentId", _text(row["deployment"])),
        ("workflowName", _text(row["workflow"])),
        ("specVersion", _number(row["spec_version"])),
        *_times(row, "created_at", "updated_at"),
        ("attributes", row["attributes"]),
        *payloads,
        ("error", row["error"]),
        ("executionContext", row["context"]),
        *_times(row, "started_at", "completed_at", "expired_at"),
    )


def step(row: Row, *, bare: bool) -> str:
    """A step, without its correlation id."""
    payloads = () if bare else (("input", row["input"]), ("output", row["output"]))
    return _object(
        ("runId", _text(row["run_id"])),
        ("stepId", _text(row["id"])),
        ("stepName", _text(row["name"])),
        ("status", _text(row["status"])),
        ("attempt", str(row["attempt"])),
        ("specVersion", _number(row["spec_version"])),
        *_times(row, "created_at", "updated_at"),
        *payloads,
        ("error", row["error"]),
        *_times(row, "started_at", "completed_at", "retry_after"),
    )


def hook(row: Row) -> str:
    """A hook; its id is its correlation id."""
    return _object(
        ("runId", _text(row["run_id"])),
        ("hookId", _text(row["correlation_id"])),
        ("token", _text(row["token"])),
        ("status", _text(row["status"])),
        ("ownerId", _text(row["owner"])),
        ("projectId", _text(row["project"])),
        ("environment", _text(row["environment"])),
        ("metadata", row["metadata"]),
        *_times(row, "created_at"),
        ("specVersion", _number(row["spec_version"])),
        ("isWebhook", "true" if row["is_webhook"] else "false"),
        *_times(row, "received_at", "disposed_at"),
    )


def wait(row: Row) -> str:
    """A wait, with all members; times that are not known are null."""
    times = ("resume_at", "completed_at", "created_at", "updated_at")
    return _object(
        ("waitId", _text(row["id"])),
        ("runId", _text(row["run_id"])),
        ("status", _text(row["status"])),
        *((_NAMES[name], _stamp(row[name]) or "null") for name in times),
        ("specVersion", _number(row["spec_version"])),
    )


def event(row: Row, version: int | None, *, bare: bool) -> str:
    """An event; ``version`` is the spec version of its run, which decides the form of its id."""
    shown = row["event_type"] == AppEventType.ATTR_SET or not bare
    return _object(
        ("eventId", _text(event_id(version, row["seq"], row["number"]))),
        ("runId", _text(row["run_id"])),
        ("eventType", _text(row["event_type"])),
        ("correlationId", _text(row["correlation_id"]) if row["correlation_id"] else None),
        ("eventData", row["data"] if shown else None),
        ("createdAt", _stamp(row["at"])),
        ("specVersion", _number(row["spec_version"])),
    )


def written(made: Written, *, bare: bool) -> str:
    """The response body for an event that was written."""
    version = made.run["spec_version"]
    parts: list[tuple[str, str | None]] = [
        ("event", event(made.event, version, bare=bare) if made.event else "null")
    ]
    if made.kind == "run":
        parts.append(("run", run(made.run, bare=bare)))
    elif made.entity is not None:
        parts.append((made.kind, _entity(made.kind, made.entity, bare=bare)))
    if made.reported is not None:
        told = made.reported[: made.most_reported]
        last = told[-1] if told else None
        parts += [
            ("events", _array(event(row, version, bare=bare) for row in told)),
            ("cursor", _text(event_id(version, last["seq"], last["number"])) if last else "null"),
            ("hasMore", _flag(len(made.reported) > len(told))),
        ]
    return _object(*parts)


def page(found: Page, rows: Iterable[str]) -> str:
    """A page of a list."""
    cursor = "null" if found.cursor is None else _text(found.cursor)
    return _object(("data", _array(rows)), ("cursor", cursor), ("hasMore", _flag(found.more)))


def events(found: Page, *, bare: bool) -> str:
    """A page of events; each row has the spec version of its run."""
    return page(found, (event(row, row["run_version"], bare=bare) for row in found.rows))


def _entity(kind: str, row: Row, *, bare: bool) -> str:
    if kind == "step":
        return step(row, bare=bare)
    return hook(row) if kind == "hook" else wait(row)


_NAMES = {
    "created_at": "createdAt",
    "updated_at": "updatedAt",
    "started_at": "startedAt",
    "completed_at": "completedAt",
    "expired_at": "expiredAt",
    "received_at": "receivedAt",
    "disposed_at": "disposedAt",
    "retry_after": "retryAfter",
    "resume_at": "resumeAt",
}
_text = encode_basestring_ascii  # Gives what json.dumps gives for a string, at less cost.


def _object(*members: tuple[str, str | None]) -> str:
    """A JSON object from members whose values are JSON text; a value of None is left out."""
    return "{" + ",".join([f'"{name}":{text}' for name, text in members if text is not None]) + "}"


def _array(texts: Iterable[str]) -> str:
    return "[" + ",".join(texts) + "]"


def _times(row: Row, *names: str) -> list[tuple[str, str | None]]:
    return [(_NAMES[name], _stamp(row[name])) for name in names]


def _stamp(at: int | None) -> str | None:
    return None if at is None else f'"{stamp(at)}"'


def _number(value: int | None) -> str:
    return "null" if value is None else str(value)


def _flag(value: bool) -> str:
    return "true" if value else "false"
