"""The rules for events: from the rows that were read to the rows to write and the event to answer.

1. The caller locks and reads the run's row, then the entity with the event's correlation id, then (for a
   hook) the hook that holds its token. `Known` has all of them.
2. `decide` returns which rows to write, which events to append, and which event to answer. It raises
   `Refused` when nothing may be written.
3. The caller writes all of it in the same transaction, each event at the next slot of the run.

The DevKit cannot replay a log that has the same event twice. So an event that a client sends again is
answered with the first one, and nothing is appended.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import uuid4

from app.domain.apps import attributes
from app.domain.apps.incoming import MOST_ATTEMPTS, Incoming, instant
from app.domain.apps.refusal import Refused, bad, run_not_found
from app.domain.apps.words import (
    ENDINGS,
    OPEN,
    WITH_ATTRIBUTES,
    AppEventType,
    AppRunStatus,
    AppStepStatus,
    HookStatus,
    WaitStatus,
)

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Known:
    """The rows before the event, read under the lock of the run's row."""

    now: int  # The database's clock in milliseconds.
    run: Row | None
    entity: Row | None = None  # The step, hook or wait with the event's correlation id.
    holder: Row | None = None  # The hook that holds the token; for ``hook_created``.
    logged: frozenset[AppEventType] = frozenset()  # Types of events logged for this correlation id.


@dataclass(frozen=True, kw_only=True)
class NewEvent:
    """An event to append at the next slot; ``data`` is None where none was sent."""

    type: AppEventType
    correlation_id: str | None
    data: Mapping[str, object] | None
    spec_version: int | None


@dataclass(frozen=True, kw_only=True)
class Write:
    """One row to insert, or columns to change. JSON columns hold text."""

    columns: dict[str, Any]
    insert: bool = False


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What to write and what to answer."""

    events: tuple[NewEvent, ...] = ()
    run: Write | None = None
    entity: Write | None = None
    ends: bool = False  # The run's hooks are disposed and its waits completed.
    earlier: AppEventType | None = (
        None  # Answer with the latest such event of the correlation id; append nothing.
    )
    of: str = "run"  # The entity that the answer shows: run, step, hook or wait.


Rule = Callable[[Incoming, Known], Decision]


def decide(event: Incoming, known: Known) -> Decision:
    """The decision for an event; raises `Refused` when nothing may be written."""
    if known.run is None and event.type not in (AppEventType.RUN_CREATED, AppEventType.RUN_STARTED):
        raise run_not_found(event.run_id)
    return RULES[event.type](event, known)


def text_of(value: object) -> str | None:
    """A JSON value as stored text; escapes make U+0000 and lone surrogates storable."""
    return None if value is None else json.dumps(value, separators=(",", ":"))


def new_run(event: Incoming, now: int, status: AppRunStatus) -> Write:
    """The row of a run that begins with this event."""
    facts = event.facts
    given = facts.get("attributes")
    if given is not None and (event.spec_version is None or event.spec_version < WITH_ATTRIBUTES):
        raise bad(f"attributes need specVersion {WITH_ATTRIBUTES} or later")
    named = attributes.initial(given, reserved=facts.get("allowReservedAttributes") is True)
    return Write(
        insert=True,
        columns={
            "id": event.run_id,
            "workflow": facts["workflowName"],
            "deployment": facts["deploymentId"],
            "status": status,
            "input": text_of(facts.get("input")),
            "context": text_of(facts.get("executionContext")),
            "attributes": text_of(named),
            "spec_version": event.spec_version,
            "created_at": now,
            "updated_at": now,
            "started_at": now if status == AppRunStatus.RUNNING else None,
        },
    )


def _appended(event: Incoming, kind: AppEventType | None = None) -> NewEvent:
    return NewEvent(
        type=kind or event.type,
        correlation_id=event.correlation_id,
        data=event.data,
        spec_version=event.spec_version,
    )


def _run_created(event: Incoming, known: Known) -> Decision:
    if known.run is not None:
        return Decision(earlier=AppEventType.RUN_CREATED)
    return Decision(events=(_appended(event),), run=new_run(event, known.now, AppRunStatus.PENDING))


def _run_started(event: Incoming, known: Known) -> Decision:
    if known.run is None:
        if not event.facts.get("workflowName") or not event.facts.get("deploymentId"):
            raise run_not_found(event.run_id)
        return Decision(
            events=(_appended(event, AppEventType.RUN_CREATED), _appended(event)),
            run=new_run(event, known.now, AppRunStatus.RUNNING),
        )
    if known.run["status"] != AppRunStatus.PENDING:  # Started before, or ended: it does not start again.
        return Decision()
    columns = {"status": AppRunStatus.RUNNING, "started_at": known.now, "updated_at": known.now}
    return Decision(events=(_appended(event),), run=Write(columns=columns))


def _run_ended(event: Incoming, known: Known) -> Decision:
    assert known.run is not None
    if known.run["status"] not in OPEN:
        return Decision()
    columns = {"status": ENDINGS[event.type], "completed_at": known.now, "updated_at": known.now}
    if event.type == AppEventType.RUN_COMPLETED:
        columns["output"] = text_of(event.facts.get("output"))
    elif event.type == AppEventType.RUN_FAILED:
        columns["error"] = text_of(event.facts.get("error"))
    elif event.type == AppEventType.RUN_EXPIRED:
        columns["expired_at"] = known.now
    return Decision(events=(_appended(event),), run=Write(columns=columns), ends=True)


def _attr_set(event: Incoming, known: Known) -> Decision:
    assert known.run is not None
    if any((version or 0) < WITH_ATTRIBUTES for version in (event.spec_version, known.run["spec_version"])):
        raise bad(f"attr_set requires a specVersion {WITH_ATTRIBUTES} run")
    if AppEventType.ATTR_SET in known.logged:
        return Decision(earlier=AppEventType.ATTR_SET)
    if known.run["status"] not in OPEN:
        raise bad(f"run is already in terminal state: {known.run['status']}")
    after = attributes.changed(json.loads(known.run["attributes"]), event.facts)
    columns = {"attributes": text_of(after), "updated_at": known.now}
    return Decision(events=(_appended(event),), run=Write(columns=columns))


def _step_created(event: Incoming, known: Known) -> Decision:
    if AppEventType.STEP_CREATED in known.logged:
        return Decision(earlier=AppEventType.STEP_CREATED, of="step")
    made = None if known.entity else _new_step(event, known.now, AppStepStatus.PENDING)
    return Decision(events=(_appended(event),), entity=made, of="step")


def _new_step(event: Incoming, now: int, status: AppStepStatus) -> Write:
    return Write(
        insert=True,
        columns={
            "id": str(uuid4()),
            "name": event.facts["stepName"],
            "status": status,
            "input": text_of(event.facts.get("input")),
            "attempt": 1,
            "spec_version": event.spec_version,
            "created_at": now,
            "updated_at": now,
            "started_at": now if status == AppStepStatus.RUNNING else None,
        },
    )


def _step_started(event: Incoming, known: Known) -> Decision:
    step, asked = known.entity, event.facts.get("attempt")
    if step is None:
        return _started_before_created(event, known)
    if step["status"] in (AppStepStatus.COMPLETED, AppStepStatus.CANCELLED):
        raise Refused(409, f"Step {event.correlation_id} is in terminal state: {step['status']}")
    if step["status"] == AppStepStatus.RUNNING and asked in (None, step["attempt"]):
        return Decision(earlier=AppEventType.STEP_STARTED, of="step")
    if step["retry_after"] is not None and step["retry_after"] > known.now:
        raise too_early(event, step["retry_after"])
    again = step["status"] == AppStepStatus.PENDING and step["started_at"] is not None
    columns = {
        "status": AppStepStatus.RUNNING,
        "attempt": min(step["attempt"] + 1, MOST_ATTEMPTS) if again else asked or step["attempt"],
        "retry_after": None,
        "started_at": step["started_at"] or known.now,
        "updated_at": known.now,
    }
    return Decision(events=(_appended(event),), entity=Write(columns=columns), of="step")


def _started_before_created(event: Incoming, known: Known) -> Decision:
    """The DevKit creates a step by starting it with its input; without input only the event is logged."""
    if event.facts.get("input") is None:
        return Decision(events=(_appended(event),), of="step")
    if not event.facts.get("stepName"):
        raise bad("step_started with input needs eventData.stepName")
    made = _new_step(event, known.now, AppStepStatus.RUNNING)
    return Decision(events=(_appended(event),), entity=made, of="step")


def too_early(event: Incoming, retry_after: int) -> Refused:
    """The refusal for a step whose next attempt must wait; the client tries again at that time."""
    return Refused(
        425, f"Step {event.correlation_id} retryAfter not reached", meta={"retryAfter": stamp(retry_after)}
    )


def stamp(at: int) -> str:
    """A time as JavaScript writes it: UTC with exactly three decimals."""
    return f"{_second(at // 1000)}.{at % 1000:03d}Z"


@lru_cache(maxsize=1024)  # Events that are written now share few different seconds.
def _second(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().removesuffix("+00:00")


def _step_completed(event: Incoming, known: Known) -> Decision:
    ended = (AppStepStatus.COMPLETED,)
    return _step_ended(event, known, ended, {"output": text_of(event.facts.get("result"))})


def _step_failed(event: Incoming, known: Known) -> Decision:
    ended = (AppStepStatus.COMPLETED, AppStepStatus.FAILED)
    return _step_ended(event, known, ended, {"error": text_of(event.facts.get("error"))})


def _step_ended(
    event: Incoming, known: Known, ended: tuple[AppStepStatus, ...], said: dict[str, object]
) -> Decision:
    if known.entity is None:
        return Decision(events=(_appended(event),), of="step")
    if known.entity["status"] in ended:
        return Decision(of="step")
    status = AppStepStatus.COMPLETED if event.type == AppEventType.STEP_COMPLETED else AppStepStatus.FAILED
    columns = {"status": status, "completed_at": known.now, "updated_at": known.now, **said}
    return Decision(events=(_appended(event),), entity=Write(columns=columns), of="step")


def _step_retrying(event: Incoming, known: Known) -> Decision:
    # Otherwise the step would be done again, and the log would have its end twice.
    if known.entity is not None and known.entity["status"] == AppStepStatus.COMPLETED:
        return Decision(of="step")
    columns = {
        "status": AppStepStatus.PENDING,
        "error": text_of(event.facts.get("error")),
        "retry_after": instant(event.facts.get("retryAfter"), "eventData.retryAfter"),
        "updated_at": known.now,
    }
    changed = Write(columns=columns) if known.entity else None
    return Decision(events=(_appended(event),), entity=changed, of="step")


def _hook_created(event: Incoming, known: Known) -> Decision:
    if AppEventType.HOOK_CREATED in known.logged:
        return Decision(earlier=AppEventType.HOOK_CREATED, of="hook")
    if AppEventType.HOOK_CONFLICT in known.logged:
        return Decision(earlier=AppEventType.HOOK_CONFLICT, of="none")
    if known.holder is not None:
        return _conflict(event, known)
    facts, over = event.facts, _is_over(known)
    columns = {
        "token": facts["token"],
        # A run that has ended gets no token: nothing would ever free it.
        "status": HookStatus.DISPOSED if over else HookStatus.PENDING,
        "disposed_at": known.now if over else None,
        "owner": facts.get("ownerId") or "",
        "project": facts.get("projectId") or "",
        "environment": facts.get("environment") or "",
        "metadata": text_of(facts.get("metadata")),
        "is_webhook": facts.get("isWebhook") is True,
        "spec_version": event.spec_version,
        "created_at": known.now,
    }
    return Decision(events=(_appended(event),), entity=Write(insert=True, columns=columns), of="hook")


def _conflict(event: Incoming, known: Known) -> Decision:
    """Another hook holds the token: one event records it, and the DevKit raises the error in the workflow."""
    assert known.holder is not None
    told = NewEvent(
        type=AppEventType.HOOK_CONFLICT,
        correlation_id=event.correlation_id,
        data={"token": event.facts["token"], "conflictingRunId": known.holder["run_id"]},
        spec_version=event.spec_version,
    )
    return Decision(events=(told,), of="none")


def _is_over(known: Known) -> bool:
    return known.run is not None and known.run["status"] not in OPEN


def _hook_received(event: Incoming, known: Known) -> Decision:
    if known.entity is None:
        return Decision(events=(_appended(event),), of="hook")
    columns: dict[str, object] = {"received_at": known.now}
    if not _is_over(known):
        columns["status"] = HookStatus.RECEIVED
    return Decision(events=(_appended(event),), entity=Write(columns=columns), of="hook")


def _hook_disposed(event: Incoming, known: Known) -> Decision:
    columns = {"status": HookStatus.DISPOSED, "disposed_at": known.now}
    changed = Write(columns=columns) if known.entity else None
    return Decision(events=(_appended(event),), entity=changed, of="hook")


def _wait_created(event: Incoming, known: Known) -> Decision:
    if AppEventType.WAIT_CREATED in known.logged:
        return Decision(earlier=AppEventType.WAIT_CREATED, of="wait")
    # The log has the end of a wait once. If it is there already, nothing would ever end this wait.
    over = _is_over(known) or AppEventType.WAIT_COMPLETED in known.logged
    columns = {
        "id": str(uuid4()),
        "status": WaitStatus.COMPLETED if over else WaitStatus.WAITING,
        "completed_at": known.now if over else None,
        "resume_at": instant(event.facts.get("resumeAt"), "eventData.resumeAt"),
        "spec_version": event.spec_version,
        "created_at": known.now,
        "updated_at": known.now,
    }
    made = None if known.entity else Write(insert=True, columns=columns)
    return Decision(events=(_appended(event),), entity=made, of="wait")


def _wait_completed(event: Incoming, known: Known) -> Decision:
    if known.entity is not None and known.entity["status"] == WaitStatus.COMPLETED:
        return Decision(of="wait")
    if AppEventType.WAIT_COMPLETED in known.logged:
        return Decision(earlier=AppEventType.WAIT_COMPLETED, of="wait")
    columns = {"status": WaitStatus.COMPLETED, "completed_at": known.now, "updated_at": known.now}
    changed = Write(columns=columns) if known.entity else None
    return Decision(events=(_appended(event),), entity=changed, of="wait")


RULES: dict[AppEventType, Rule] = {
    AppEventType.RUN_CREATED: _run_created,
    AppEventType.RUN_STARTED: _run_started,
    AppEventType.RUN_COMPLETED: _run_ended,
    AppEventType.RUN_FAILED: _run_ended,
    AppEventType.RUN_CANCELLED: _run_ended,
    AppEventType.RUN_EXPIRED: _run_ended,
    AppEventType.ATTR_SET: _attr_set,
    AppEventType.STEP_CREATED: _step_created,
    AppEventType.STEP_STARTED: _step_started,
    AppEventType.STEP_COMPLETED: _step_completed,
    AppEventType.STEP_FAILED: _step_failed,
    AppEventType.STEP_RETRYING: _step_retrying,
    AppEventType.HOOK_CREATED: _hook_created,
    AppEventType.HOOK_RECEIVED: _hook_received,
    AppEventType.HOOK_DISPOSED: _hook_disposed,
    AppEventType.WAIT_CREATED: _wait_created,
    AppEventType.WAIT_COMPLETED: _wait_completed,
}
