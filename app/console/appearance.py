"""The appearance of states: a word, a colour and an icon, so that no state depends on colour alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Appearance:
    """The appearance of one state."""

    word: str
    family: str  # idle, run, ok, fail, hold or undo: the names of the colours.
    icon: str


def _looks(family: str, icon: str, **words: str) -> dict[str, Appearance]:
    return {state: Appearance(word, family, icon) for state, word in words.items()}


RUNS = {
    **_looks("idle", "circle-dashed", queued="Queued", pending="Pending"),
    **_looks("idle", "lock", lock_waiting="Waits for lock"),
    **_looks("run", "loader-circle", running="Running"),
    **_looks("run", "clock", waiting="Waiting", retry_wait="Retrying"),
    **_looks("ok", "circle-check", completed="Completed", resolved="Resolved"),
    **_looks("fail", "octagon-x", failed="Failed", lost="Lost"),
    **_looks("hold", "triangle-alert", failed_held="Held", blocked="Blocked"),
    **_looks("hold", "triangle-alert", compensation_failed="Undo failed"),
    **_looks("hold", "pause", paused="Paused"),
    **_looks("undo", "undo-2", compensating="Undoing", cancelling="Cancelling"),
    **_looks("idle", "ban", cancelled="Cancelled"),
    **_looks("idle", "skip-forward", skipped="Skipped"),
}
RESOURCES = {
    **_looks("ok", "circle-check", available="Available", ready="Ready", healthy="Healthy", valid="Valid"),
    **_looks("ok", "power", provisioned="Provisioned", on="On", active="Active", delivered="Delivered"),
    **_looks("idle", "power", off="Off", stopped="Stopped", unknown="Unknown"),
    **_looks("idle", "ban", deleted="Deleted", decommissioned="Decommissioned", revoked="Revoked"),
    **_looks(
        "fail", "octagon-x", error="Error", unhealthy="Unhealthy", critical="Critical", expired="Expired"
    ),
    **_looks("hold", "triangle-alert", degraded="Degraded", warning="Warning", maintenance="Maintenance"),
    **_looks("idle", "ban", disabled="Switched off"),
}


BATCHES = {
    **_looks("idle", "circle-dashed", Pending="Pending", Blocked="Waits for others"),
    **_looks("run", "loader-circle", Running="Running", Retrying="Retrying"),
    **_looks("ok", "circle-check", Completed="Completed"),
    **_looks("fail", "octagon-x", Failed="Failed", RollbackFailed="Rollback failed"),
    **_looks("hold", "triangle-alert", PartiallyCompleted="Partly completed"),
    **_looks("undo", "undo-2", RollingBack="Rolling back", RolledBack="Rolled back"),
    **_looks("idle", "ban", Cancelled="Cancelled"),
    **_looks("idle", "skip-forward", Skipped="Skipped"),
}
# Details that are more precise than the status.
BATCH_DETAILS = {
    **_looks("hold", "pause", paused="Paused"),
    **_looks("hold", "triangle-alert", awaits_approval="Waits for approval", failed_held="Held"),
}


def batch_look(one: Mapping[str, Any]) -> Appearance:
    """The appearance of a batch, operation or item, which has a `status` and may have a `detail`."""
    precise = BATCH_DETAILS.get(str(one.get("detail") or ""))
    return precise or BATCHES.get(one["status"]) or Appearance(str(one["status"]), "idle", "circle-dashed")


def run_look(detail: str | None) -> Appearance:
    """The appearance of a run or step in this state."""
    return RUNS.get(detail or "") or Appearance(_word(detail), "idle", "circle-dashed")


def look(state: str | None) -> Appearance:
    """The appearance of a resource or anything else in this state; transitional states are at work."""
    known = RESOURCES.get(state or "") or RUNS.get(state or "")
    if known:
        return known
    moving = (state or "").endswith("ing")
    return Appearance(
        _word(state), "run" if moving else "idle", "loader-circle" if moving else "circle-dashed"
    )


def _word(state: str | None) -> str:
    return (state or "unknown").replace("_", " ").capitalize()
