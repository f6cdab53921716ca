"""Versions of what is shown: ETag, If-None-Match (304) and If-Match (412); RFC 9110, 13.1."""

import hashlib
import json

from flask import Response, request

from app.api.http.envelope import Answer, Shown
from app.domain.errors import PreconditionFailed
from app.domain.rows.runs import RunRow


def tagged(data: Shown, tag: str) -> Answer:
    """The data with its tag, or 304 when the client has it already."""
    headers = {"ETag": f'"{tag}"'}
    if request.if_none_match.contains(tag) or "*" in request.if_none_match:
        return Response(status=304, headers=headers)
    return data, None, headers


def run_tag(run: RunRow, data: object) -> str:
    """The tag of a run: its last event, and what else is seen of it."""
    seen = hashlib.sha256(json.dumps(data, sort_keys=True, default=str).encode()).hexdigest()
    return f"{run['event_seq']}-{seen[:12]}"


def check_run(run: RunRow) -> None:
    """Raise `PreconditionFailed` when If-Match names an earlier event of the run."""
    tags = request.if_match
    if not tags or tags.star_tag:
        return
    if str(run["event_seq"]) not in {tag.partition("-")[0] for tag in tags.as_set() if tag}:
        raise PreconditionFailed(f"The run is at event {run['event_seq']} by now.", current=run["event_seq"])


def check_version(version: int) -> None:
    """Raise `PreconditionFailed` when If-Match names another version."""
    if wanted_version() not in (None, version):
        raise PreconditionFailed(f"It is at version {version} by now.", current=version)


def wanted_version() -> int | None:
    """The version in If-Match, None when any will do; one that is no number can match nothing."""
    tags = request.if_match
    if not tags or tags.star_tag:
        return None
    numbers = [int(tag) for tag in tags.as_set() if tag and tag.isdecimal() and len(tag) < 10]
    return numbers[0] if numbers else -1
