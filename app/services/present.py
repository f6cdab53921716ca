"""Rows as the public objects of contracts/runs.rst, in camelCase; pure, without a clock.

All APIs, the event stream and the webhooks show runs through this module, so that they never disagree.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from app.auth.secrets import hidden, redact
from app.domain.clock import rfc3339
from app.domain.events import EventType
from app.domain.run_kind import RunKind
from app.domain.states import API_STATUS, NEEDS_OPERATOR, STANDING, STEP_DONE, TERMINAL, RunStatus, StepStatus
from app.engine.transitions import operator_actions
from app.engine.transitions.journal import MAIN
from app.engine.transitions.step_rows import begins
from app.services import spelling
from app.services.run_facts import NOTHING_KNOWN, Facts
from app.services.step_terms import attempts, known_at_most_once, known_policy
from app.services.waits import sentence

Row = Mapping[str, Any]
Object = dict[str, Any]
Served = Collection[tuple[str, str]]  # Code workflows, by name and version, that some worker serves.

WAITS_AFTER_MS = 5_000  # A message that is due for longer than this makes its run one that does not move.
MOST_OF_A_STEP = 0.95  # Credit that a running step can earn at most.
# What steps log is no value of anybody's: what looks like a secret is hidden in it.
LOGGED = EventType.STEP_LOG
STEP_WORDS = {
    StepStatus.PENDING: "pending",
    StepStatus.RUNNING: "running",
    StepStatus.RETRY_WAIT: "running",
    StepStatus.WAITING: "running",
    StepStatus.COMPLETED: "completed",
    StepStatus.RESOLVED: "completed",
    StepStatus.FAILED: "failed",
    StepStatus.CANCELLED: "cancelled",
    StepStatus.SKIPPED: "skipped",
}


def run_summary(
    row: Row,
    steps: Sequence[Row],
    *,
    now: int,
    served: Served | None = None,
    facts: Facts = NOTHING_KNOWN,
    usual_ms: Mapping[str, float] | None = None,
) -> Object:
    """A run as lists show it; `now` is the database's clock in milliseconds.

    `usual_ms` is how long each step of its type usually takes.
    """
    return {
        "id": row["id"],
        "type": row["type"],
        "kind": row["kind"],
        "status": API_STATUS[RunStatus(row["status"])],
        "detail": row["status"],
        "resourceType": row["resource_type"],
        "resourceId": row["resource_id"],
        "resourceName": facts.resource_name,
        "title": facts.title,
        "version": row.get("version"),
        "triggeredBy": row["triggered_by"],
        "createdAt": rfc3339(row["created_at"]),
        "startedAt": rfc3339(row["started_at"]),
        "completedAt": rfc3339(row["completed_at"]),
        "durationMs": _worked_ms(row, row["completed_at"]),
        "usualMs": row.get("eta_ms") or None,
        "progress": progress(row, steps, now=now, usual_ms=usual_ms or {}),
        **attempts(row, steps),
        "error": _run_error(row, steps),
        "steps": [_brief_step(step) for step in _shown(row, steps)],
        "waitingOn": waiting_on(row, steps, now=now, served=served, held_by=facts.held_by),
        "needsOperator": row["status"] in NEEDS_OPERATOR,
        "retryOf": row["retry_of"],
        "parentRunId": row["parent_run_id"],
        "acknowledgedAt": rfc3339(row.get("acknowledged_at")),
        "acknowledgedBy": row.get("acknowledged_by"),
        "tags": row["tags"] or [],
    }


def run_detail(
    row: Row,
    steps: Sequence[Row],
    *,
    now: int,
    retried_by: Sequence[str] = (),
    usual_ms: Mapping[str, float] | None = None,
    live_retry: str | None = None,
    served: Served | None = None,
    facts: Facts = NOTHING_KNOWN,
) -> Object:
    """A run as its own page shows it; ``live_retry`` is the open run that retries it."""
    shown = _shown(row, steps)
    acknowledged = row.get("acknowledged_at") is not None
    asked = {"kind": row["kind"], "acknowledged": acknowledged}
    refused = operator_actions.refusals(row["status"], live_retry, **asked)
    return {
        **run_summary(row, steps, now=now, served=served, facts=facts, usual_ms=usual_ms),
        "estimatedCompletionAt": _estimated_end(row, now),
        "overdue": _is_overdue(row, now),
        "steps": [step_object(step, wrapped=_is_code(row)) for step in shown],
        "compensation": [_undo_object(step) for step in steps if step["phase"] == "comp"],
        "onFailure": row["on_failure"],
        "input": hidden(spelling.values(row["input"] or {})),
        "output": value_of(row) if _is_code(row) else hidden(spelling.values(row["output"])),
        "retriedBy": list(retried_by),
        "fromStep": row["from_step"],
        "cancelRequestedAt": rfc3339(row["cancel_requested_at"]),
        "allowedActions": operator_actions.offers(row["status"], live_retry, **asked),
        "refusedActions": refused,
    }


def step_object(step: Row, *, wrapped: bool = False) -> Object:
    """A forward step; members that say nothing are left out. ``wrapped``: a call of a code workflow."""
    return _without_none(
        {
            "name": step["key"],
            "kind": step.get("kind"),
            "status": STEP_WORDS[StepStatus(step["status"])],
            "detail": step["status"],
            "startedAt": rfc3339(step["first_started_at"]),
            "completedAt": rfc3339(step["completed_at"]),
            "durationMs": _between(step["first_started_at"], step["completed_at"]),
            "attempt": step["attempt"] or None,
            "queue": step["queue"],
            **_terms(step, wrapped=wrapped),
            "worker": _worker(step),
            "branch": step["branch"] or None,
            "progress": step["progress"],
            "retryAt": rfc3339(step["retry_at"]) if step["status"] == StepStatus.RETRY_WAIT else None,
            "error": hidden(step["error"]),
            "output": value_of(step) if wrapped else hidden(spelling.values(step["output"])),
            "reusedFrom": step["reused_from"],
            "compensatedAt": rfc3339(step["compensated_at"]),
        }
    )


def waiting_on(
    row: Row,
    steps: Sequence[Row],
    *,
    now: int,
    served: Served | None = None,
    held_by: Object | None = None,
) -> Object | None:
    """Why a run is not moving, also as a sentence, or None while it moves or has ended."""
    if row["status"] in TERMINAL:
        return None
    waits = _waiting_on(row, steps, now, served)
    if waits is not None and waits["kind"] == "lock" and held_by is not None:
        waits = {**waits, "holder": held_by["runId"], "heldBy": held_by}
    return None if waits is None else {**waits, "text": sentence(waits, row)}


def _waiting_on(row: Row, steps: Sequence[Row], now: int, served: Served | None) -> Object | None:
    if served is not None and needs_worker(row) and (row["type"], row["version"]) not in served:
        return _unserved(row)
    if row["waiting_on"]:
        waits = {name: _shown_time(name, value) for name, value in row["waiting_on"].items()}
        return {**waits, "step": _named(row, waits["step"])} if "step" in waits else waits
    if row["status"] in NEEDS_OPERATOR:
        return {"kind": "operator"}
    since = row["expect_since"]
    if since is not None and since < now - WAITS_AFTER_MS:
        return {
            "kind": "worker",
            "queue": row.get("expect_queue") or _next_queue(steps),
            "since": rfc3339(since),
        }
    return None


def progress(row: Row, steps: Sequence[Row], *, now: int, usual_ms: Mapping[str, float]) -> int:
    """0 to 100 by the formula of contracts/runs.rst#run-object; 100 only when the run has completed."""
    if row["status"] == RunStatus.COMPLETED:
        return 100
    if _is_code(row):
        return _progress_in_time(row, now)
    forward = [step for step in steps if step["phase"] == "forward" and step["kind"] in ("task", "operation")]
    weights = _weights(forward, usual_ms)
    earned = sum(weight * _credit(step, weight, row, now, bool(usual_ms)) for step, weight in weights)
    return min(99, int(100 * earned / max(1.0, sum(weight for _, weight in weights))))


def plan_object(plan: Row) -> Object:
    """What a run would do, with the runs that hold its locks now."""
    kind, resource_id = plan["resourceType"], plan["resourceId"]
    shown = {name: value for name, value in plan.items() if name not in ("resourceType", "resourceId")}
    return {
        **hidden(shown),
        "resource": None if resource_id is None else f"{kind}/{resource_id}",
        "locks": [lock["resource"] for lock in plan["locks"]],
        "holders": {lock["resource"]: lock["holder"] for lock in plan["locks"] if lock["holder"]},
    }


def event_object(row: Row) -> Object:
    """An event of a run's log."""
    told = spelling.payload(row["type"], row["payload"] or {})
    return {
        "seq": row["seq"],
        "type": row["type"],
        "step": row["step"],
        "phase": row["phase"],
        "attempt": row["attempt"],
        "actor": row["actor"],
        "at": rfc3339(row["at"]),
        "payload": (redact if row["type"] == LOGGED else hidden)(told),
    }


def value_of(row: Row) -> object:
    """What a code workflow's run or call gave; it is stored wrapped, since it may be anything."""
    return hidden((row["output"] or {}).get("value"))


def _named(row: Row, step: str | None) -> str | None:
    """A step as people know it: what advances the function of a code workflow is not among them."""
    return None if _is_code(row) and step == MAIN else step


def _is_code(row: Row) -> bool:
    return bool(row["kind"] == RunKind.CODE)


def _progress_in_time(row: Row, now: int) -> int:
    """How far a code workflow is, of whose calls to come nothing is known: by how long it usually takes."""
    elapsed = _worked_ms(row, now) or 0
    return int(100 * min(MOST_OF_A_STEP, elapsed / max(1, row["eta_ms"] or 1)))


def needs_worker(row: Row) -> bool:
    """Whether a code workflow's run moves only if there is a worker that knows its version."""
    due = row.get("expect_since") is not None or _waits(row).get("kind") in ("step", "worker")
    return _is_code(row) and row["status"] not in TERMINAL and due


def _unserved(row: Row) -> Object:
    """`waitingOn` of a run that no worker serves."""
    facts = {"workflow": row["type"], "version": row["version"], "queue": row["expect_queue"]}
    since = row["expect_since"] if row["expect_since"] is not None else _waits(row).get("since")
    return {"kind": "worker", **facts, "since": rfc3339(since)}


def _waits(row: Row) -> Row:
    return row.get("waiting_on") or {}


def _terms(step: Row, *, wrapped: bool) -> Object:
    """Under which terms a step is done, and what its plan gave it."""
    policy = known_policy(step)
    running = step["status"] == StepStatus.RUNNING
    return {
        "timeoutMs": step.get("timeout_ms"),
        "retry": policy.shown() if policy else None,
        "undo": step.get("undoable"),
        "atMostOnce": known_at_most_once(step),
        "holder": _worker(step) if running else None,
        "deadlineAt": rfc3339(step.get("deadline_at")),
        "given": None if wrapped else hidden(spelling.values(step.get("given"))),
    }


def _brief_step(step: Row) -> Object:
    status = STEP_WORDS[StepStatus(step["status"])]
    took = _between(step["first_started_at"], step["completed_at"])
    return _without_none({"name": step["key"], "status": status, "durationMs": took})


def _undo_object(step: Row) -> Object:
    return {**step_object(step), "undoes": step["undoes"]}


def _shown(row: Row, steps: Sequence[Row]) -> list[Row]:
    """The forward steps; of an ended run only those it reached (contracts/runs.rst#run-object).

    What advances the function of a code workflow is its run, as far as people are concerned.
    """
    forward = [step for step in steps if step["phase"] == "forward" and step.get("kind") != "code"]
    if row["status"] not in TERMINAL:
        return forward
    return [step for step in forward if step["first_started_at"] is not None or step["status"] in STEP_DONE]


def _run_error(row: Row, steps: Sequence[Row]) -> Object | None:
    """Why a run failed; ``retryFrom`` where another step than the failed one has to be done again first."""
    if row["error_code"] is None:
        return None
    error = {
        "code": row["error_code"],
        "message": row["error_message"],
        "step": _named(row, row["error_step"]),
    }
    main = [one for one in steps if one["phase"] == "forward" and not one["branch"] and one.get("name")]
    begin = begins(main, row["error_step"]) if row["error_step"] else None
    return error if begin in (None, row["error_step"]) else {**error, "retryFrom": begin}


def _worked_ms(row: Row, until: int | None) -> int | None:
    """How long a run has been at work: without the time in which it stood still for people."""
    if row["started_at"] is None or until is None:
        return None
    return max(0, _stood(row, until) - int(row["started_at"]) - int(row.get("held_ms") or 0))


def _stood(row: Row, until: int) -> int:
    """Since when a run stands still, or until."""
    since = _waits(row).get("since") if row["status"] in STANDING else None
    return since if isinstance(since, int) else until


def _expected_end(row: Row) -> int | None:
    if row["started_at"] is None or row["status"] in TERMINAL or not row["eta_ms"]:
        return None
    return int(row["started_at"] + row["eta_ms"] + (row.get("held_ms") or 0))


def _estimated_end(row: Row, now: int) -> str | None:
    """When a run is expected to end; None when nobody knows: it stands still, or is overdue."""
    end = _expected_end(row)
    return None if end is None or end <= now or row["status"] in STANDING else rfc3339(end)


def _is_overdue(row: Row, now: int) -> bool:
    end = _expected_end(row)
    return end is not None and end <= _stood(row, now)


def _weights(steps: Sequence[Row], usual_ms: Mapping[str, float]) -> list[tuple[Row, float]]:
    # A step without history weighs as much as the mean of those with one, or all weigh the same.
    mean = sum(usual_ms.values()) / len(usual_ms) if usual_ms else 1.0
    return [(step, max(1.0, usual_ms.get(step["key"], mean))) for step in steps]


def _credit(step: Row, weight: float, row: Row, now: int, known: bool) -> float:
    if step["status"] in STEP_DONE:
        return 1.0
    began = step.get("started_at") or step["first_started_at"]
    if began is None:
        return 0.0
    # A step that failed keeps what it had earned, and goes on from there when it is resumed.
    expected = weight if known else max(1.0, (row["eta_ms"] or 0) / 3)
    until = step["completed_at"] or _stood(row, now)
    held = 0 if step["completed_at"] else row.get("held_ms") or 0
    return min(MOST_OF_A_STEP, max(0, int(until - began - held)) / expected)


def _next_queue(steps: Sequence[Row]) -> str:
    phase = "comp" if any(step["phase"] == "comp" for step in steps) else "forward"
    open_ = (
        s
        for s in steps
        if s["phase"] == phase
        and s["status"] in (StepStatus.PENDING, StepStatus.RETRY_WAIT, StepStatus.WAITING)
    )
    return next((str(step["queue"]) for step in open_), "default")


def _shown_time(name: str, value: object) -> Any:
    return rfc3339(value) if name in ("since", "until", "deadline") and isinstance(value, int) else value


def _worker(step: Row) -> str | None:
    """The process that has the step, or had it last."""
    holder = step.get("holder")
    return holder.rpartition("/")[0] or None if holder else None


def _between(start: int | None, end: int | None) -> int | None:
    return None if start is None or end is None else max(0, end - start)


def _without_none(members: Object) -> Object:
    return {name: value for name, value in members.items() if value is not None}
