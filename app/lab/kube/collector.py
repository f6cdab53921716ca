"""The garbage collector: deletes dependents with their owner, and the objects of a namespace with it."""

from typing import Any, ClassVar

from app.lab.kube.controller import Controller
from app.lab.kube.kinds import NAMESPACES, Kind
from app.lab.kube.store import ADDED, DELETED, Event, Key, Object
from app.lab.kube.writes import Deletion, Write

_WRITE = Write(
    user="system:serviceaccount:kube-system:generic-garbage-collector", manager="garbage-collector"
)
_DYING = b'"deletionTimestamp":'
_POLL = 0.1  # Seconds until what must go first is looked at again.

Dependent = tuple[Kind, Key]


class Collector(Controller):
    """Tracks the dependents of each owner, by the owner's uid and not its name."""

    name: ClassVar[str] = "generic-garbage-collector"
    plural: ClassVar[str] = "namespaces"

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._dependents: dict[str, set[Dependent]] = {}  # By the owner's uid.

    def start(self) -> None:
        super().start()
        for kind in self.kinds:
            for record in self.objects.store.records(kind):
                self.concerns(kind, Event(ADDED, record, None))

    def concerns(self, kind: Kind, event: Event) -> Key | None:
        """Update the dependents after an event, and start the deletions that it requires."""
        self._book(kind, event)
        if event.type == DELETED:
            self._orphaned(event.record.object()["metadata"]["uid"])
        elif _DYING in event.record.raw:
            self._finish(kind, event.record.key)
        return event.record.key if kind.id == NAMESPACES.id else None

    def reconcile(self, key: Key) -> float | None:
        """Delete the objects of a namespace that is being deleted, then the namespace."""
        content = self.find(NAMESPACES, key)
        if content is None or not content["metadata"].get("deletionTimestamp"):
            return None
        left = 0
        for kind in (one for one in self.kinds if one.namespaced and "delete" in one.verbs):
            for record in self.objects.store.records(kind, key[1]):
                left += 1
                if _DYING not in record.raw:
                    self.objects.delete(kind, record.key, Deletion(), _WRITE)
        if left:
            return _POLL
        self.objects.finish(NAMESPACES, key, _WRITE)
        return None

    def _book(self, kind: Kind, event: Event) -> None:
        for record in (event.before, event.record):
            if record is None or b'"ownerReferences"' not in record.raw:
                continue
            for reference in record.object()["metadata"].get("ownerReferences", ()):
                dependents = self._dependents.setdefault(reference["uid"], set())
                if record is event.record and event.type != DELETED:
                    dependents.add((kind, record.key))
                    if event.type == ADDED and not self._exists(reference, record.key[0]):
                        self._later(self._orphaned, reference["uid"])
                else:
                    dependents.discard((kind, record.key))
                if not dependents:
                    self._dependents.pop(reference["uid"], None)

    def _exists(self, reference: Object, namespace: str) -> bool:
        for kind in self.kinds:
            if (kind.api_version, kind.kind) == (reference["apiVersion"], reference["kind"]):
                key = (namespace if kind.namespaced else "", reference["name"])
                content = self.find(kind, key)
                return content is not None and content["metadata"]["uid"] == reference["uid"]
        return False

    def _orphaned(self, uid: str) -> None:
        """Delete the dependents of an owner that is gone."""
        for kind, key in sorted(self._dependents.get(uid, ()), key=lambda one: one[1]):
            self._later(self._delete, kind, key, uid)

    def _finish(self, kind: Kind, key: Key) -> None:
        """Continue the deletion of an owner: in the foreground, or with orphaned dependents."""
        finalizers = self.objects.get(kind, key)["metadata"].get("finalizers", ())
        if "foregroundDeletion" in finalizers:
            self._later(self._foreground, kind, key)
        elif "orphan" in finalizers:
            self._later(self._abandon, kind, key)

    def _foreground(self, kind: Kind, key: Key) -> None:
        content = self.find(kind, key)
        if content is None or "foregroundDeletion" not in content["metadata"].get("finalizers", ()):
            return
        uid = content["metadata"]["uid"]
        blocking = list(self._dependents.get(uid, ()))
        for other, dependent in blocking:
            self._delete(other, dependent, uid)
        if any(self.objects.store.get(*one) for one in blocking):
            self._later(self._foreground, kind, key, seconds=_POLL)
        else:
            self.release(kind, content, "foregroundDeletion")

    def _abandon(self, kind: Kind, key: Key) -> None:
        content = self.find(kind, key)
        if content is None or "orphan" not in content["metadata"].get("finalizers", ()):
            return
        uid = content["metadata"]["uid"]
        for other, dependent in list(self._dependents.get(uid, ())):
            found = self.objects.get(other, dependent)
            references = found["metadata"]["ownerReferences"]
            found["metadata"]["ownerReferences"] = [one for one in references if one["uid"] != uid]
            self.change(other, found)
        self.release(kind, content, "orphan")

    def _delete(self, kind: Kind, key: Key, uid: str) -> None:
        """Unless another object has the name by now, or there is another owner."""
        content = self.find(kind, key)
        if content is None or content["metadata"].get("deletionTimestamp"):
            return
        references = content["metadata"].get("ownerReferences", ())
        others = [one for one in references if one["uid"] != uid and self._exists(one, key[0])]
        if not others and any(one["uid"] == uid for one in references):
            self.objects.delete(kind, key, Deletion(), _WRITE)

    def _later(self, what: Any, *given: object, seconds: float = 0.0) -> None:
        if self._loop:
            self._loop.call_later(seconds, what, *given)
