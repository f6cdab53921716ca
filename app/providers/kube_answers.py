"""Interprets the answers of an API server, strictly, since machines are switched off because of them.

An answer that is not about exactly the requested object counts as no answer: a version that is not served, a
definition that is being replaced, the page of a proxy, an object or list of another kind.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.domain.clock import retry_after_ms
from app.domain.errors import (
    KubeAuthFailed,
    KubeConflict,
    KubeError,
    KubeNotFound,
    KubeQuotaExceeded,
    KubeRefused,
    KubeUnreachable,
)

Object = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """The target of a path: a collection, or with a name one object of it."""

    api_version: str
    plural: str
    name: str

    @property
    def group(self) -> str:
        """The API group; empty for the core of Kubernetes."""
        return self.api_version.rpartition("/")[0]

    @property
    def told(self) -> str:
        """The place in a text for people."""
        return f"{self.plural}{'.' if self.group else ''}{self.group} {self.name}".strip()


def place(path: str) -> Place:
    """What ``/apis/GROUP/VERSION[/namespaces/NAMESPACE]/PLURAL[/NAME]`` names, also below ``/api/v1``."""
    _, root, *parts = path.split("/")
    core = root == "api"
    version, rest = (parts[0], parts[1:]) if core else ("/".join(parts[:2]), parts[2:])
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        rest = rest[2:]
    plural, name, *_ = [*rest, "", ""]
    return Place(version, plural, name)


def answered(status: int, body: bytes, after: str | None, attempt: str) -> Object:
    """The object of a good answer; any other becomes the error that it amounts to."""
    content: Object = {}
    with suppress(ValueError):
        read = json.loads(body or b"{}")
        content = read if isinstance(read, dict) else {}
    if 200 <= status < 300:
        if body and not content:
            raise KubeUnreachable(f"{attempt}: the answer is no JSON object", status=status)
        return content
    told: Object = {"status": status, **({"retryAfter": after} if after else {})}
    if 300 <= status < 400 or (status == 404 and _missing(content) is None):
        why = "that is no word about the object: its kind is not served there now, or a proxy has answered"
        raise KubeUnreachable(f"{attempt}: status {status}, and {why}", **told, nothing_happened=True)
    if status == 404:
        told["missing"] = _missing(content)
    said = str(content.get("message") or content.get("reason") or f"status {status}")
    pause = retry_after_ms(after, datetime.now(UTC)) or 0
    raise _refusal(status, said)(
        f"{attempt}: {said}", **told, nothing_happened=status < 500, retry_after_ms=pause
    )


def says_gone(error: KubeNotFound, path: str) -> bool:
    """Whether a refusal says that this very object is not there, and not that something else is not."""
    asked, missing = place(path), error.details["missing"]
    return bool(
        missing["name"] == asked.name
        and missing["kind"].lower() == asked.plural
        and missing["group"] == asked.group
    )


def checked(content: Object, path: str) -> Object:
    """The object that was asked for; raises `KubeUnreachable` when a good answer holds something else."""
    asked, metadata = place(path), content.get("metadata")
    same = isinstance(metadata, Mapping) and metadata.get("name") == asked.name and metadata.get("uid")
    if not same or content.get("apiVersion") != asked.api_version:
        raise KubeUnreachable(f"The answer is not about {asked.told}, which was asked for")
    return content


def checked_list(content: Object, path: str) -> Object:
    """A page of the collection that was asked for; raises `KubeUnreachable` when it is something else.

    An answer without items would otherwise say that every object is gone.
    """
    asked, items = place(path), content.get("items")
    metadata = content.get("metadata")
    listed = str(content.get("kind") or "").endswith("List")
    listed = listed and content.get("apiVersion") == asked.api_version
    versioned = isinstance(metadata, Mapping) and bool(metadata.get("resourceVersion"))
    # An empty list of Go is null in JSON; without the key it is no list.
    if not listed or not versioned or "items" not in content or not isinstance(items, list | None):
        raise KubeUnreachable(f"The answer is no list of {asked.told}, which was asked for")
    return content


def _missing(content: Object) -> Object | None:
    """What a Status says is not found; None when it is no such Status, or names nothing."""
    details = content.get("details")
    speaks = content.get("kind") == "Status" and content.get("reason") == "NotFound"
    if not speaks or not isinstance(details, dict):
        return None
    found = {name: str(details.get(name) or "") for name in ("group", "kind", "name")}
    return found if found["kind"] and found["name"] else None


def _refusal(status: int, said: str) -> type[KubeError]:
    if status == 401:
        return KubeAuthFailed
    if status == 403 and "exceeded quota" in said:
        return KubeQuotaExceeded
    if status == 404:
        return KubeNotFound
    if status in (409, 410):
        return KubeConflict
    if status in (408, 425, 429) or status >= 500:
        return KubeUnreachable
    return KubeRefused
