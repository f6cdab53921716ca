"""Conditions in a status."""

from typing import Any

from app.lab.kube.objects import now

Condition = dict[str, Any]
Conditions = list[Condition]


def set_condition(
    conditions: Conditions, type_: str, status: str, reason: str, message: str = "", generation: int = 0
) -> None:
    """Set one; the time of transition moves only with its status."""
    old = find(conditions, type_)
    moved = old is None or old["status"] != status
    new = {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": now() if old is None or moved else old["lastTransitionTime"],
        **({"observedGeneration": generation} if generation else {}),
    }
    if old is None:
        conditions.append(new)
    else:
        old.clear()
        old.update(new)


def find(conditions: Conditions, type_: str) -> Condition | None:
    return next((one for one in conditions if one["type"] == type_), None)


def is_true(conditions: Conditions, type_: str, generation: int = 0) -> bool:
    """Whether it holds, if a generation is given: for that one or a later one."""
    found = find(conditions, type_)
    return (
        found is not None and found["status"] == "True" and found.get("observedGeneration", 0) >= generation
    )
