"""The checks of a write by the server itself: schemas, secrets, finalizers, generations."""

import base64

from app.lab.kube import schemas
from app.lab.kube.errors import Refused, bad_request, conflict, invalid
from app.lab.kube.kinds import Kind
from app.lab.kube.store import Key, Object
from app.lab.kube.writes import Write


def judge(kind: Kind, key: Key, before: Object | None, content: Object, write: Write) -> None:
    """Prune, default and validate by the kind's schema; raises `Refused` (400, 422)."""
    if kind.schema is None:
        return
    unknown = [f'unknown field "{path}"' for path in schemas.pruned(content, kind.schema)]
    if unknown and write.validation == "Strict":
        raise bad_request(f"strict decoding error: {', '.join(unknown)}")
    if write.validation == "Warn":
        write.warnings.extend(unknown)
    schemas.defaulted(content, kind.schema)
    causes = list(schemas.broken(content, kind.schema))
    if before and not causes:
        causes = list(schemas.frozen(before, content, kind.schema))
    if causes:
        raise invalid(kind, key[1], causes)


def settle_secret(content: Object) -> None:
    """What was given as plain text becomes data, and is never shown as text again."""
    plain = content.pop("stringData", None) or {}
    encoded = {name: base64.b64encode(str(text).encode()).decode() for name, text in plain.items()}
    content["data"] = (content.get("data") or {}) | encoded
    content.setdefault("type", "Opaque")


def wish(content: Object) -> Object:
    """Everything but metadata and status: a change there makes a new generation."""
    return {name: value for name, value in content.items() if name not in ("metadata", "status")}


def other_uid(kind: Kind, key: Key, wanted: str | None, found: str) -> Refused:
    """409: a write or a deletion that means another object of this name."""
    why = f"Precondition failed: UID in precondition: {wanted}, UID in object meta: {found}"
    return conflict(kind, key[1], why)


def no_new_finalizers(kind: Kind, key: Key, old: Object, new: Object) -> None:
    """What is being deleted is held by nothing more; raises `Refused` (422)."""
    added = [one for one in new.get("finalizers") or () if one not in old.get("finalizers", ())]
    if added and old.get("deletionTimestamp"):
        why = f"Forbidden: no new finalizers can be added if the object is being deleted, found {added}"
        raise invalid(kind, key[1], [("metadata.finalizers", why)])
