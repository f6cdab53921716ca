"""The attributes of a run: their limits, which of them a writer may set, and the result of a change."""

from collections.abc import Mapping

from app.domain.apps.refusal import bad

MOST = 64
KEY_LENGTH = 256  # Characters.
VALUE_BYTES = 256  # In UTF-8.
RESERVED = "$"


def initial(given: object, *, reserved: bool) -> dict[str, str]:
    """The attributes that a run begins with; raises `Refused` as `changed` does."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise bad("attributes must be an object of strings")
    for key, value in given.items():
        _check(key, value, reserved=reserved, deletes=False)
    return _counted(dict(given))


def changed(before: Mapping[str, str], data: Mapping[str, object]) -> dict[str, str]:
    """The attributes after an ``attr_set``; ``value: null`` deletes one."""
    changes = data.get("changes")
    if not isinstance(changes, list) or not changes:
        raise bad("changes must be a non-empty array of {key, value}")
    _check_writer(data.get("writer"))
    after, seen = dict(before), set[str]()
    for change in changes:
        if not isinstance(change, Mapping) or set(change) != {"key", "value"}:
            raise bad("each change must be an object of key and value")
        key, value = change["key"], change["value"]
        _check(key, value, reserved=data.get("allowReservedAttributes") is True, deletes=True)
        if key in seen:
            raise bad(f"attribute {key!r} is changed twice")
        seen.add(key)
        if value is None:
            after.pop(key, None)
        else:
            after[key] = value
    return _counted(after)


def _check(key: object, value: object, *, reserved: bool, deletes: bool) -> None:
    if not isinstance(key, str) or not 1 <= len(key) <= KEY_LENGTH:
        raise bad(f"attribute keys must have 1 to {KEY_LENGTH} characters")
    if key.startswith(RESERVED) and not reserved:
        raise bad(f"attribute {key!r} is reserved: keys that begin with $ need allowReservedAttributes")
    if value is None and deletes:
        return
    if not isinstance(value, str) or len(value.encode("utf-8", "surrogatepass")) > VALUE_BYTES:
        raise bad(f"the value of attribute {key!r} must be a string of at most {VALUE_BYTES} bytes")


def _counted(attributes: dict[str, str]) -> dict[str, str]:
    if len(attributes) > MOST:
        raise bad(f"a run has at most {MOST} attributes")
    return attributes


def _check_writer(writer: object) -> None:
    if writer == {"type": "workflow"}:
        return
    if (
        isinstance(writer, Mapping)
        and set(writer) == {"type", "stepId", "attempt"}
        and writer["type"] == "step"
    ):
        step, attempt = writer["stepId"], writer["attempt"]
        if isinstance(step, str) and step and type(attempt) is int and attempt >= 1:
            return
    raise bad("writer must be {type: workflow} or {type: step, stepId, attempt}")
