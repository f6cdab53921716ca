"""Follows a collection: lists all objects, then watches their changes, without end.

The informer of the official client fails with custom objects, requests no bookmarks and does not pause
between failing watches; this code is smaller than its repair would be.
"""

import json
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from app.domain.errors import KubeConflict, KubeError, KubeUnreachable
from app.providers.kube import PAGE, Kube, Object
from app.providers.kube_answers import checked_list

EXPIRED = 410
SHORT_S = 1.0  # A watch that ends sooner and said nothing is a failure, or it would be asked for without end.


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some of the objects that are there; the last page completes the list."""

    objects: tuple[Object, ...]
    version: str
    first: bool
    last: bool


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something happened to an object."""

    type: str  # ADDED, MODIFIED, DELETED.
    object: Object


@dataclass(frozen=True)
class Bookmark:
    """The stream is complete up to now."""


Item = Page | Event | Bookmark


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How long watches last, and after how long everything is listed anew although nothing is missing."""

    watch_s: int = 60  # The server ends a watch, with a bookmark: proof that it still hears us.
    silence_s: float = 20.0  # How much longer it may be silent before the connection counts as dead.
    list_s: float = 600.0


@dataclass
class Reflector:
    """One collection; it remembers how far it has come, so that it can go on after a failure."""

    path: str
    query: Mapping[str, object] = field(default_factory=dict)
    pace: Pace = Pace()
    _version: str | None = None
    _list_at: float = 0.0

    def follow(self, kube: Kube) -> Iterator[Item]:
        """The objects, then their changes, without end; raises `KubeError`, and may be called again."""
        while True:
            if self._version is None or time.monotonic() > self._list_at:
                yield from self.pages(kube)
            yield from self._watch(kube)

    def pages(self, kube: Kube) -> Iterator[Page]:
        """All objects once, consistent at one version."""
        self._version, token = None, ""
        while True:
            more = {"continue": token} if token else {}
            asked = {**self.query, "limit": PAGE, **more}
            answer = checked_list(kube.call("GET", self.path, query=asked), self.path)
            metadata = answer.get("metadata") or {}
            first, token = not token, str(metadata.get("continue") or "")
            objects, version = tuple(answer.get("items") or ()), str(metadata.get("resourceVersion"))
            yield Page(objects=objects, version=version, first=first, last=not token)
            if not token:
                break
        self._version = version
        self._list_at = time.monotonic() + self.pace.list_s * random.uniform(0.8, 1.2)

    def _watch(self, kube: Kube) -> Iterator[Item]:
        """One watch, until the server ends it."""
        asked = {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": self._version}
        query = {**self.query, **asked, "timeoutSeconds": self.pace.watch_s}
        began, silent = time.monotonic(), True
        try:
            for line in kube.lines(self.path, query=query, silence_s=self.pace.watch_s + self.pace.silence_s):
                silent = False
                yield self._told(line)
        except KubeConflict:
            self._version = None  # What happened since is forgotten there: everything has to be listed anew.
            raise
        if silent and time.monotonic() - began < SHORT_S:
            raise KubeUnreachable(f"The watch of {self.path} ended at once")
        yield Bookmark()  # It has ended in order, so it has told everything.

    def _told(self, line: bytes) -> Item:
        try:
            event = json.loads(line)
            type_, object_ = event["type"], event["object"]
            if type_ == "ERROR":
                raise _error(object_, self.path)
            self._version = str(object_["metadata"]["resourceVersion"])
        except (ValueError, LookupError, TypeError) as error:
            raise KubeUnreachable(f"The watch of {self.path} says what is no event") from error
        return Bookmark() if type_ == "BOOKMARK" else Event(type=type_, object=object_)


def _error(status: Mapping[str, object], path: str) -> KubeError:
    said = f"the watch of {path}: {status.get('message') or status.get('reason')}"
    return (KubeConflict if status.get("code") == EXPIRED else KubeUnreachable)(said)
