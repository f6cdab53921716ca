"""The terms of a step by its declaration: time limit, retries, undo; pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.domain.policy import Backoff
from app.domain.states import TERMINAL, StepStatus
from chains import catalogue

Row = Mapping[str, Any]
AT_HAND = (StepStatus.RUNNING, StepStatus.RETRY_WAIT, StepStatus.WAITING, StepStatus.FAILED)


def known_policy(step: Row) -> Backoff | None:
    """How often and when the step is tried again; None for waits, and what this release does not know."""
    found = catalogue.known_step(step["name"]) if step.get("name") else None
    if found is None:
        return None
    if step["phase"] == "comp":
        return found.undoing.retry if found.undoing else None
    return found.retry


def known_at_most_once(step: Row) -> bool | None:
    """Whether the step is never repeated by itself."""
    found = catalogue.known_step(step["name"]) if step.get("name") else None
    return None if found is None else found.at_most_once


def attempts(run: Row, steps: Sequence[Row]) -> dict[str, int | None]:
    """Which attempt an open run's step is at, and how many it has; 0 is no limit, None is not known."""
    nothing: dict[str, int | None] = {"attempt": None, "attempts": None}
    if run["status"] in TERMINAL:
        return nothing
    busy = [one for one in steps if one["status"] in AT_HAND and one.get("tries") and one["kind"] != "code"]
    if not busy:
        return nothing
    step = next((one for one in busy if one["phase"] == "comp"), busy[-1])
    policy = known_policy(step)
    return {"attempt": step["tries"], "attempts": None if policy is None else policy.limit}
