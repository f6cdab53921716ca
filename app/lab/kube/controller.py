"""The base of all controllers: they reconcile one object at a time with its spec, step by step."""

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections import deque
from typing import ClassVar

from app.lab.kube.behaviour import Behaviour, Behaviours
from app.lab.kube.errors import Refused
from app.lab.kube.kinds import EVENTS, Kind, Kinds
from app.lab.kube.objects import Objects, now
from app.lab.kube.store import Event, Key, Object, copied
from app.lab.kube.writes import Deletion, Write

_RETRY = 0.2  # Seconds after a write that did not succeed.
_BUDGET = 0.005  # Seconds of work at a time.
_LOG = logging.getLogger(__name__)


class Controller(ABC):
    """Reconciles an object after each change; every call returns when to reconcile it again."""

    name: ClassVar[str]  # As a user and as a field manager.
    plural: ClassVar[str]  # Of the kind that it takes care of.

    def __init__(self, objects: Objects, kinds: Kinds) -> None:
        self.objects = objects
        self.kinds = kinds
        self.behaviours = Behaviours()
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._due: deque[Key] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None

    @abstractmethod
    def concerns(self, kind: Kind, event: Event) -> Key | None:
        """The object of this controller to reconcile after an event; None for none."""

    @abstractmethod
    def reconcile(self, key: Key) -> float | None:
        """Reconcile one object; returns the seconds until the next call, None to wait for an event."""

    def start(self) -> None:
        """Begin to work, in the running loop."""
        self._loop = asyncio.get_running_loop()
        self.objects.store.listeners.append(self._heard)
        self.wake_all()

    def stop(self) -> None:
        """Drop what is planned."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._due.clear()
        self._loop = None

    def wake(self, key: Key, seconds: float = 0.0) -> None:
        """Reconcile an object after so many seconds, unless it is due earlier anyway."""
        if self._loop is None:
            return
        due, planned = self._loop.time() + seconds, self._timers.get(key)
        if planned and planned.when() <= due:
            return
        if planned:
            planned.cancel()
        self._timers[key] = self._loop.call_at(due, self._enqueue, key)

    def behave(self, behaviour: Behaviour, name: str = "") -> None:
        """Treat all objects so, or only those of one name; may be called from any thread."""
        if name:
            self.behaviours.special[name] = behaviour
        else:
            self.behaviours.general = behaviour
        if self._loop:
            self._loop.call_soon_threadsafe(self.wake_all)

    def wake_all(self) -> None:
        """Reconcile all objects."""
        for record in self.objects.store.records(self.kind(self.plural)):
            self.wake(record.key)

    def _heard(self, kind: Kind, event: Event) -> None:
        key = self.concerns(kind, event)
        if key:
            self.wake(key)

    def _enqueue(self, key: Key) -> None:
        self._due.append(key)
        if len(self._due) == 1 and self._loop:
            self._loop.call_soon(self._work)

    def _work(self) -> None:
        """Reconcile what is due, for `_BUDGET` at most, since requests need the event loop as well."""
        pause = time.monotonic() + _BUDGET
        while self._due and time.monotonic() < pause:
            self._look(self._due.popleft())
        if self._due and self._loop:
            self._loop.call_soon(self._work)

    def _look(self, key: Key) -> None:
        self._timers.pop(key, None)
        try:
            again = self.reconcile(key)
        except Refused as error:
            _LOG.warning("%s: %s: %s", self.name, key, error.message)
            again = _RETRY
        if again is not None:
            self.wake(key, again)

    # What controllers do to objects -------------------------------------------------------------

    def kind(self, plural: str) -> Kind:
        return self.kinds.named(plural)

    def find(self, kind: Kind, key: Key) -> Object | None:
        """A copy of an object, None when it is not there."""
        record = self.objects.store.get(kind, key)
        return record.object() if record else None

    def create(self, kind: Kind, namespace: str, content: Object) -> Object:
        return self.objects.create(kind, namespace, content, self._write())

    def change(self, kind: Kind, content: Object) -> Object:
        """Write metadata and spec."""
        return self.objects.replace(kind, _key(content), content, self._write())

    def set_status(self, kind: Kind, content: Object, status: Object) -> Object:
        """Write a status, a copy by `status_of`; nothing happens when it is the same."""
        if content.get("status") == status:
            return content
        return self.objects.replace(kind, _key(content), {**content, "status": status}, self._write("status"))

    def delete(self, kind: Kind, key: Key) -> None:
        """Ask for a deletion; nothing happens when the object is not there."""
        if self.objects.store.get(kind, key):
            self.objects.delete(kind, key, Deletion(), self._write())

    def release(self, kind: Kind, content: Object, finalizer: str) -> None:
        """Take a finalizer away."""
        metadata = content["metadata"]
        metadata["finalizers"] = [one for one in metadata.get("finalizers", ()) if one != finalizer]
        self.change(kind, content)

    def tell(self, kind: Kind, content: Object, reason: str, message: str) -> None:
        """Create an Event about an object."""
        metadata = content["metadata"]
        about = {"apiVersion": kind.api_version, "kind": kind.kind}
        about |= {name: metadata[name] for name in ("namespace", "name", "uid", "resourceVersion")}
        event = {
            "metadata": {"generateName": f"{metadata['name']}."},
            "involvedObject": about,
            "reason": reason,
            "message": message,
            "type": "Normal",
            "count": 1,
            "firstTimestamp": now(),
            "lastTimestamp": now(),
            "source": {"component": self.name},
        }
        self.create(EVENTS, metadata["namespace"], event)

    def _write(self, subresource: str = "") -> Write:
        user = f"system:serviceaccount:kube-system:{self.name}"
        return Write(user=user, manager=self.name, subresource=subresource, validation="Ignore")


def _key(content: Object) -> Key:
    return content["metadata"].get("namespace", ""), content["metadata"]["name"]


def status_of(content: Object) -> Object:
    """The status so far, to be changed."""
    return copied(content.get("status", {}))


def owner(kind: Kind, content: Object) -> dict[str, object]:
    """The owner reference by which an object is deleted with its owner."""
    metadata = content["metadata"]
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
