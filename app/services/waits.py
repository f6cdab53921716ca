"""Why a run does not move, as one sentence: `waitingOn.text` of every answer, of webhooks and of the CLI.

    sentence({"kind": "signal", "name": "approval", ...}, row)  # Waits for the signal approval, until …

One function for each kind; its first argument is the `waitingOn` that is shown, with its times as texts.
"""

from collections.abc import Callable, Mapping
from typing import Any

from app.domain.states import RunStatus

Waits = Mapping[str, Any]
Row = Mapping[str, object]
LONGEST_REASON = 300  # Of an error's message; the run's error holds all of it.


def sentence(waits: Waits, row: Row) -> str:
    """Why this run does not move, and what ends that."""
    return KINDS.get(waits["kind"], _other)(waits, row)


def _lock(waits: Waits, _row: Row) -> str:
    held = waits.get("heldBy") or {}
    holder = held.get("runId") or waits.get("holder")
    if not holder:
        return f"Waits for {waits['resource']}."
    at = f", at {held['step']}" if held.get("step") else ""
    what = f" ({held['type']}{at})" if held.get("type") else ""
    return f"Waits for {held.get('resourceName') or waits['resource']}, which run {holder}{what} holds."


def _timer(waits: Waits, _row: Row) -> str:
    attempt = waits.get("attempt")
    failed = f"Attempt {attempt} of {waits['step']}" if attempt else str(waits["step"])
    return f"{failed} failed{_because(waits.get('error'))}; the next one is due at {waits['until']}."


def _poll(waits: Waits, _row: Row) -> str:
    so_far = f" ({waits['progress']})" if waits.get("progress") else ""
    latest = f", at the latest until {waits['deadline']}" if waits.get("deadline") else ""
    return f"{waits['step']} is under way{so_far}{latest}; it is looked at again at {waits['until']}."


def _operator(waits: Waits, row: Row) -> str:
    if row["status"] == RunStatus.PAUSED or waits.get("paused"):
        return "An operator has paused it; it goes on when it is unpaused."
    step = waits.get("step") or ("the function" if row.get("version") else "a step")
    reason = _because(waits.get("error") or _error(row))
    if row["status"] == RunStatus.BLOCKED:
        return (
            f"Needs an operator: {step} is not repeated by itself{reason}. Resolve, resume or compensate it."
        )
    if row["status"] == RunStatus.COMPENSATION_FAILED:
        return (
            f"Needs an operator: the undo of {step} has failed for good{reason}. Resume, resolve or skip it."
        )
    until = f" at {waits['until']}" if waits.get("until") else ""
    return (
        f"Needs an operator: {step} failed{reason}. Resume, retry or compensate it; else it is undone{until}."
    )


def _worker(waits: Waits, _row: Row) -> str:
    if waits.get("workflow"):
        return f"No worker serves {waits['workflow']} in version {waits['version']}; start one that does."
    if waits.get("step"):
        return f"Waits for a worker that knows {waits['step']}{_because(waits.get('error'))}."
    return f"No worker has taken it from the queue {waits['queue']}, where it waits since {waits['since']}."


def _sleep(waits: Waits, _row: Row) -> str:
    return f"Sleeps{_until(waits)}{_others(waits)}."


def _signal(waits: Waits, _row: Row) -> str:
    return f"Waits for the signal {waits.get('name')}{_until(waits)}{_others(waits)}."


def _child(waits: Waits, _row: Row) -> str:
    run = f", run {waits['run']}" if waits.get("run") else ""
    return f"Waits for the end of {waits.get('name')}{run}{_others(waits)}."


def _calls(waits: Waits, _row: Row) -> str:
    due = f"; it is due at {waits['until']}" if waits.get("until") else ""
    return f"Waits for the step {waits.get('step')}{_others(waits)}{due}."


def _other(waits: Waits, _row: Row) -> str:
    return f"Waits for {waits['kind']}{_until(waits)}."


KINDS: dict[str, Callable[[Waits, Row], str]] = {
    "lock": _lock,
    "timer": _timer,
    "poll": _poll,
    "operator": _operator,
    "worker": _worker,
    "sleep": _sleep,
    "signal": _signal,
    "child": _child,
    "calls": _calls,
}


def _until(waits: Waits) -> str:
    return f" until {waits['until']}" if waits.get("until") else ""


def _others(waits: Waits) -> str:
    more = int(waits.get("calls") or 1) - 1
    return f" and {more} more" if more else ""


def _error(row: Row) -> Row | None:
    if row.get("error_code") is None:
        return None
    return {"code": row["error_code"], "message": row["error_message"]}


def _because(error: Row | None) -> str:
    if not error:
        return ""
    message = str(error.get("message") or "")
    message = f"{message[:LONGEST_REASON]}…" if len(message) > LONGEST_REASON else message.rstrip(".")
    return f" ({error.get('code')}: {message})" if message else f" ({error.get('code')})"
