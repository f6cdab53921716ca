"""Names that the engine gave, as JSON spells them: camelCase, with moments as RFC 3339.

What a run and its steps are given and give has names of ours at its top level alone: they are the parameters
of steps. Below that stands what somebody wrote or a program of his returned, which is left as it is.
"""

from collections.abc import Mapping
from typing import Any

from app.domain.clock import rfc3339
from windlass.decode import camel

Object = dict[str, Any]

VALUES = ("input", "output")  # Members of a payload and of a state that hold such values.
MOMENTS = frozenset(  # Members of a payload and of a state that hold a moment in milliseconds.
    ("at", "compensatedAt", "completedAt", "createdAt", "dueAt", "heldUntil", "startedAt", "until")
)
USERS = "user.event"  # Its payload is its sender's.


def values(given: Any) -> Any:
    """What a run or a step is given or gives."""
    return {camel(name): _value(name, one) for name, one in given.items()} if _named(given) else given


def hardware(seen: Any) -> Any:
    """What a controller told of a machine; names of ours are those of its identity."""
    return {**seen, "identity": values(seen["identity"])} if _named(seen) and "identity" in seen else seen


def payload(type_: str, told: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an event of this type tells."""
    return told if type_ == USERS else {name: _told(name, one) for name, one in told.items()}


def moment(name: str, one: Any) -> Any:
    """A member of a payload or of a state; those that say when, as a text."""
    return rfc3339(one) if name in MOMENTS and type(one) is int else one


def state(folded: Mapping[str, Any]) -> Object:
    """The fold of a log."""
    asked = folded["cancelRequested"]
    return {
        **_timed(folded),
        "cancelRequested": asked and _timed(asked),
        "steps": [_timed(_planned(step)) for step in folded["steps"]],
        **{name: values(folded[name]) for name in VALUES},
    }


def _value(name: str, one: Any) -> Any:
    if name == "hardware":
        return hardware(one)
    if name == "results" and isinstance(one, list):  # What the members of a fan-out gave.
        return [values(member) for member in one]
    return rfc3339(one) if name.endswith("_at") and type(one) is int else one


def _planned(step: Mapping[str, Any]) -> Object:
    """A step as the log keeps it; its ``name`` is the one that a plan has: ``power`` of ``power-2``."""
    _, dot, function = step["name"].rpartition(".")
    said = {camel(name): values(one) if name in VALUES else one for name, one in step.items()}
    said["name"] = function.replace("_", "-") if dot else step["key"]  # A fan-out is called by its key.
    return {"undo" if name == "undoable" else name: one for name, one in said.items()}


def _timed(told: Mapping[str, Any]) -> Object:
    return {name: moment(name, one) for name, one in told.items()}


def _told(name: str, one: Any) -> Any:
    if name in VALUES:
        return values(one)
    if name == "steps" and isinstance(one, list):
        return [_planned(step) for step in one]
    return moment(name, one)


def _named(given: Any) -> bool:
    return isinstance(given, Mapping)
