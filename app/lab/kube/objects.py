"""Writing objects: what create, replace, patch, apply and delete mean, whoever asks."""

import datetime
import re
import secrets
import uuid
from collections.abc import Callable

from app.lab.kube import rules
from app.lab.kube.errors import (
    already_exists,
    bad_request,
    conflict,
    forbidden,
    invalid,
    not_found,
    stale,
)
from app.lab.kube.kinds import NAMESPACES, SECRETS, Kind
from app.lab.kube.managed import APPLY, UPDATE, Manager, Owners, applied, stamp, updated
from app.lab.kube.store import Key, Object, Store, copied
from app.lab.kube.writes import Deletion, Write

_NAME = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
# What a client may not change in the metadata, and what the server says of a new object alone.
_IDENTITY = (
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
)
_OURS = (*_IDENTITY[2:], "managedFields", "selfLink")


# What a webhook has to say about a write: it may change the new object or raise `Refused`.
Admission = Callable[[Kind, Object | None, Object, Write], None]
# Hears of everything that was really done: create, update, delete (asked for), gone.
Note = Callable[[str, Kind, Object, Write], None]

_FINALIZER = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}


def now() -> str:
    """The time as objects carry it."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Objects:
    """The objects of one server."""

    def __init__(self, store: Store, note: Note) -> None:
        self.store = store
        self.note = note
        self.admission: list[Admission] = []

    def get(self, kind: Kind, key: Key) -> Object:
        """A copy of one object; raises `Refused` (404)."""
        record = self.store.get(kind, key)
        if record is None:
            raise not_found(kind, key[1])
        return record.object()

    def create(
        self, kind: Kind, namespace: str, body: Object, write: Write, held: Owners | None = None
    ) -> Object:
        """Write a new object; raises `Refused` (404, 409, 422)."""
        content: Object = {"apiVersion": "", "kind": "", "metadata": {}} | copied(body)
        metadata = content["metadata"]
        if metadata.get("resourceVersion"):
            raise bad_request("resourceVersion should not be set on objects to be created")
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"] + "".join(secrets.choice(_LETTERS) for _ in range(5))
        key = self._named(kind, namespace, metadata)
        if self.store.get(kind, key):
            raise already_exists(kind, key[1])
        self._room(kind, namespace, key[1])
        for name in _OURS:
            metadata.pop(name, None)
        if kind.status:
            content.pop("status", None)
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": now()}
        if kind.custom:
            metadata["generation"] = 1
        if kind.id == NAMESPACES.id:
            content |= {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
        return self._write(kind, key, None, content, write, held)

    def replace(self, kind: Kind, key: Key, body: Object, write: Write) -> Object:
        """Write a whole object over the old one; raises `Refused` (404, 409, 422)."""
        before = self.get(kind, key)
        if kind.custom and not body.get("metadata", {}).get("resourceVersion"):
            field_ = ("metadata.resourceVersion", "Invalid value: 0x0: must be specified for an update")
            raise invalid(kind, key[1], [field_])
        return self._changed(kind, key, before, copied(body), write)

    def patch(self, kind: Kind, key: Key, change: Callable[[Object], Object], write: Write) -> Object:
        """Write what a patch makes of an object; raises `Refused` (404, 409, 422)."""
        before = self.get(kind, key)
        return self._changed(kind, key, before, change(copied(before)), write)

    def apply(self, kind: Kind, key: Key, config: Object, write: Write) -> tuple[Object, bool]:
        """Server-side apply: the object as it is then, and whether it is new; raises `Refused` (409, 422)."""
        if config.get("metadata", {}).get("managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        config = copied(config)
        config.setdefault("metadata", {}).setdefault("name", key[1])
        record = self.store.get(kind, key)
        writer = Manager(write.manager, APPLY, write.subresource)
        if record is None:
            if write.subresource:
                raise not_found(kind, key[1])
            if "uid" in config["metadata"]:
                why = f"uid mismatch: the provided object specified uid {config['metadata']['uid']}"
                raise conflict(kind, key[1], f"{why}, and no existing object was found")
            _, held = applied(kind, None, config, writer, force=write.force)
            return self.create(kind, key[0], config, write, held), True
        before = record.object()
        after, held = applied(kind, before, config, writer, force=write.force)
        return self._changed(kind, key, before, after, write, held), False

    def delete(self, kind: Kind, key: Key, deletion: Deletion, write: Write) -> tuple[Object, bool]:
        """Delete an object: what is left of it, and whether it is gone; raises `Refused` (404, 409)."""
        content = self.get(kind, key)
        metadata = content["metadata"]
        if deletion.uid not in (None, metadata["uid"]):
            raise rules.other_uid(kind, key, deletion.uid, metadata["uid"])
        if deletion.version not in (None, metadata["resourceVersion"]):
            raise stale(kind, key[1])
        finalizers = metadata.get("finalizers", [])
        if deletion.policy in _FINALIZER and not metadata.get("deletionTimestamp"):
            finalizers = metadata["finalizers"] = [*finalizers, _FINALIZER[deletion.policy]]
        if not finalizers and kind.id != NAMESPACES.id:
            self._remove(kind, key, content, write)
            return content, True
        if not metadata.get("deletionTimestamp"):
            metadata |= {"deletionTimestamp": now(), "deletionGracePeriodSeconds": 0}
            if kind.custom:
                metadata["generation"] += 1
            if kind.id == NAMESPACES.id:
                content["status"] = {"phase": "Terminating"}
            if not write.dry_run:
                self.store.put(kind, key, content)
                self.note("delete", kind, content, write)
        return content, False

    def _named(self, kind: Kind, namespace: str, metadata: Object) -> Key:
        name = metadata.get("name", "")
        if metadata.get("namespace", namespace) != namespace:
            raise bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        if not name:
            raise invalid(kind, "", [("metadata.name", "Required value: name or generateName is required")])
        if not isinstance(name, str) or len(name) > 253 or not _NAME.match(name):
            why = "must be a lowercase RFC 1123 subdomain: lower case alphanumeric characters, '-' or '.'"
            raise invalid(kind, str(name), [("metadata.name", f'Invalid value: "{name}": {why}')])
        if kind.namespaced:
            metadata["namespace"] = namespace
        else:
            metadata.pop("namespace", None)
        return namespace, name

    def _room(self, kind: Kind, namespace: str, name: str) -> None:
        if not kind.namespaced:
            return
        home = self.get(NAMESPACES, ("", namespace))
        if home["metadata"].get("deletionTimestamp"):
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            raise forbidden(kind, name, why)

    def _changed(
        self,
        kind: Kind,
        key: Key,
        before: Object,
        after: Object,
        write: Write,
        held: Owners | None = None,
    ) -> Object:
        old, new = before["metadata"], after.setdefault("metadata", {})
        if new.get("resourceVersion") not in (None, "", old["resourceVersion"]):
            raise stale(kind, key[1])
        if new.get("uid") not in (None, old["uid"]):
            raise rules.other_uid(kind, key, new["uid"], old["uid"])
        if new.get("name", key[1]) != key[1] or new.get("namespace", key[0]) != key[0]:
            raise bad_request("the name of the object does not match the name on the URL")
        if write.subresource == "status":
            content = before | {"status": after.get("status", {})}
            content["metadata"] = copied(old)
        else:
            content = after
            if kind.status:
                content.pop("status", None)
                content |= {"status": before["status"]} if "status" in before else {}
            content["metadata"] = new | {name: old[name] for name in _IDENTITY if name in old}
            rules.no_new_finalizers(kind, key, old, content["metadata"])
        return self._write(kind, key, before, content, write, held)

    def _write(
        self,
        kind: Kind,
        key: Key,
        before: Object | None,
        content: Object,
        write: Write,
        held: Owners | None,
    ) -> Object:
        content = content | {"apiVersion": kind.api_version, "kind": kind.kind}
        metadata = content["metadata"]
        rules.judge(kind, key, before, content, write)
        if kind.id == SECRETS.id:
            rules.settle_secret(content)
        for admit in self.admission:
            admit(kind, before, content, write)
        if before and kind.custom and rules.wish(content) != rules.wish(before):
            metadata["generation"] += 1
        if held is None:
            held = updated(kind, before, content, Manager(write.manager, UPDATE, write.subresource))
        metadata["managedFields"] = before["metadata"].get("managedFields", []) if before else []
        stamp(content, held, kind.api_version, now())
        metadata["resourceVersion"] = before["metadata"]["resourceVersion"] if before else ""
        if content == before:
            return before
        if metadata.get("deletionTimestamp") and not metadata.get("finalizers") and kind.id != NAMESPACES.id:
            self._remove(kind, key, content, write)
        elif not write.dry_run:
            self.store.put(kind, key, content)
            if not before or (kind.custom and metadata["generation"] != before["metadata"]["generation"]):
                self.note("update" if before else "create", kind, content, write)
        return content

    def finish(self, kind: Kind, key: Key, write: Write) -> None:
        """Remove an object whatever holds it, as only the server itself can."""
        self._remove(kind, key, self.get(kind, key), write)

    def _remove(self, kind: Kind, key: Key, content: Object, write: Write) -> None:
        if not write.dry_run:
            self.store.remove(kind, key, content)
            self.note("gone", kind, content, write)
