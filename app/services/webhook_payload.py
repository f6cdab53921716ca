"""Payload of a webhook delivery: the run as it was after the event (contracts/runs.rst#webhooks)."""

import json
from collections.abc import Mapping
from typing import Any

from app.domain.clock import rfc3339
from app.domain.states import NEEDS_OPERATOR, RunStatus
from app.record.runs import runs
from app.record.session import Tx
from app.services import folds, present

Row = Mapping[str, Any]
TEST = "webhook.test"
# Inputs and outputs may be confidential: they are never sent to webhooks. Readers with a key can get them.
# The terms of a step are for readers of the run; a delivery says what happened to it.
TERMS = ("timeoutMs", "retry", "undo", "atMostOnce", "holder", "deadlineAt")
PRIVATE = ("input", "output", "allowedActions", "refusedActions", "worker", "given", *TERMS)


def body_of(tx: Tx, delivery: Row) -> str:
    """The body of a delivery; every attempt sends it as it is rendered the first time."""
    if delivery["run_id"] is None:
        return rendered(delivery["event"], delivery["created_at"], {"webhookId": delivery["webhook_id"]})
    state, last = folds.as_of(tx, delivery["run_id"], delivery["seq"])
    return rendered(delivery["event"], last["at"], _run(tx, delivery["run_id"], state, last))


def rendered(type_: str, at: int, data: Mapping[str, object]) -> str:
    """The body of a delivery about something that happened at a time."""
    message = {"type": type_, "timestamp": rfc3339(at), "data": data}
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _run(tx: Tx, run_id: str, state: Row, last: Row) -> dict[str, object]:
    """The run object with ``seq``, and for an event of a step which step it was."""
    row = runs.read_run(tx, run_id)
    assert row is not None, "deliveries are deleted together with their run"
    steps = {(step["phase"], step["key"]): step for step in runs.slim_steps(tx, run_id)}
    then = [_step_then(steps[one["phase"], one["key"]], one) for one in state["steps"]]
    shown = present.run_detail(_run_then(row, state), then, now=last["at"])
    for name in ("steps", "compensation"):
        shown[name] = [_public(step) for step in shown[name]]
    step = {} if last["step"] is None else {"step": {"name": last["step"], "attempt": last["attempt"]}}
    return {**_public(shown), "seq": last["seq"], **step}


def _run_then(row: Row, state: Mapping[str, Any]) -> dict[str, object]:
    error = {**_reason(state), **(state["error"] or {})}
    return {
        **row,
        "status": state["status"],
        "started_at": state["startedAt"],
        "completed_at": state["completedAt"],
        "cancel_requested_at": (state["cancelRequested"] or {}).get("at"),
        "error_code": error.get("code"),
        "error_message": error.get("message"),
        "error_step": error.get("step"),
        "waiting_on": _waiting_on(state, error),
        "expect_since": None,
    }


def _reason(state: Mapping[str, object]) -> Mapping[str, object]:
    """Why a run that has not ended yet is held or being undone: its log says so only where a step failed."""
    stopped = state["goal"] == "failed" or state["status"] in (RunStatus.FAILED_HELD, RunStatus.BLOCKED)
    step = _failed(state, "forward") if stopped else None
    return {} if step is None else {**step["error"], "step": step["key"]}


def _failed(state: Mapping[str, Any], phase: str) -> Mapping[str, Any] | None:
    failed = (step for step in state["steps"] if (step["phase"], step["status"]) == (phase, "failed"))
    return next(failed, None)


def _waiting_on(state: Mapping[str, object], error: Mapping[str, object]) -> dict[str, object] | None:
    """What an operator has to decide about; an event of a run that moves tells of no wait."""
    if state["status"] not in NEEDS_OPERATOR:
        return None
    undo = _failed(state, "comp")
    step = undo["key"] if undo is not None else error.get("step")
    facts = {"kind": "operator", "step": step, "since": state["at"], "until": state["heldUntil"]}
    return facts if undo is None else {**facts, "phase": "comp", "error": undo["error"]}


def _step_then(row: Row, state: Mapping[str, object]) -> dict[str, object]:
    return {
        **row,
        "status": state["status"],
        "attempt": state["attempt"],
        "error": state["error"],
        "progress": None,
        "retry_at": state["dueAt"],
        "first_started_at": state["startedAt"],
        "completed_at": state["completedAt"],
        "compensated_at": state["compensatedAt"],
    }


def _public(shown: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in shown.items() if name not in PRIVATE}
