"""Public form of code workflow runs, events and hooks (contracts/code-workflows.rst#endpoints)."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from app.api.http.context import world
from app.auth.secrets import hidden
from app.auth.tokens import filter_hash
from app.domain.clock import rfc3339
from app.domain.errors import NotFound
from app.domain.events import EventType
from app.domain.states import API_STATUS, RunStatus
from app.engine.transitions.journal import MAIN
from app.record.paging import Window
from app.record.runs import code_runs, event_log, runs
from app.record.service import definitions
from app.record.session import Tx
from app.services import presence, present, spelling
from app.services.workflows import known

Row = Mapping[str, Any]
Object = dict[str, Any]

MOST_A_PAGE = 100
OUR_KEY = "request-"  # How the key begins that a request gives to its run (see `app.services.idempotency`).
# What an event is called here, when it is not by its own name with underscores.
EVENT_TYPES: dict[str, str] = {
    EventType.HOOK_EXECUTED: "hook_received",
    EventType.RUN_CANCEL_REQUESTED: "workflow_cancelling",
}
# The same for sleeps, signals and children, and for the function itself, whose others are advance_….
WAIT_TYPES: dict[str, str] = {
    EventType.STEP_COMPLETED: "wait_completed",
    EventType.STEP_FAILED: "wait_failed",
}
ADVANCE_TYPES: dict[str, str] = {EventType.STEP_WAITING: "wait_created"}
INNER = frozenset({"steps", "runStatus", "fence", "ref"})  # What the engine tells itself in a payload.


def run_object(row: Row, *, now: int, updated_at: int | None, served: presence.Served | None) -> Object:
    """A run; members that say nothing are left out."""
    limits, given = row["limits"] or {}, row["input"] or {}
    shown = {
        "runId": row["id"],
        "status": API_STATUS[RunStatus(row["status"])],
        "detail": row["status"],
        "workflowName": row["type"],
        "deploymentId": row["version"],
        "executionContext": hidden(row["context"]),
        "input": hidden(given.get("args", [])),
        "kwargs": hidden(given.get("kwargs")) or None,
        "error": _error(row),
        "waitingOn": present.waiting_on(row, (), now=now, served=served),
        "parentRunId": row["parent_run_id"],
        "restartedFrom": row["origin"],
        "restartedAs": code_runs.restarted_as(row),
        "idempotencyKey": _own_key(row),
        "maxEvents": limits.get("maxEvents"),
        "executionTimeout": limits.get("executionTimeoutMs"),
        "cancelRequestedAt": rfc3339(row["cancel_requested_at"]),
        "createdAt": rfc3339(row["created_at"]),
        "updatedAt": rfc3339(updated_at or row["created_at"]),
        "startedAt": rfc3339(row["started_at"]),
        "completedAt": rfc3339(row["completed_at"]),
    }
    output = {"output": present.value_of(row)} if row["status"] == RunStatus.COMPLETED else {}
    return {**_without_none(shown), **output}


def event_object(row: Row, waits: Collection[str]) -> Object:
    """A line of the log: a user's event under its own type, one of ours under a name in WDK's manner.

    ``waits`` are the calls of the run that wait for something.
    """
    payload = row["payload"] or {}
    if row["type"] == EventType.USER_EVENT:
        type_, about, told = payload["eventType"], payload.get("correlationId"), payload.get("payload")
    else:
        type_, about, told = event_type(row["type"], row["step"], waits), row["step"], _told(payload)
    shown = {
        "eventId": f"{row['run_id']}.{row['seq']}",
        "runId": row["run_id"],
        "seq": row["seq"],
        "eventType": type_,
        "correlationId": None if about == MAIN else about,
        "createdAt": rfc3339(row["at"]),
    }
    return {**_without_none(shown), "payload": hidden(told)}


def emitted(told: Row) -> Object:
    """An event that a user has just written."""
    row = {"run_id": told["runId"], "type": EventType.USER_EVENT, "step": None}
    return event_object({**row, "seq": told["seq"], "at": told["at"], "payload": told}, ())


def event_type(ours: str, step: str | None, waits: Collection[str]) -> str:
    """``run.completed`` as ``workflow_completed``, ``step.completed`` of a sleep as ``wait_completed``."""
    if step == MAIN:
        return ADVANCE_TYPES.get(ours) or ours.replace("step.", "advance_").replace(".", "_")
    if step in waits and ours in WAIT_TYPES:
        return WAIT_TYPES[ours]
    return EVENT_TYPES.get(ours) or ours.replace("run.", "workflow_").replace(".", "_")


def hook_object(made: Row) -> Object:
    """A hook with its token."""
    names = {"hookId": "id", "runId": "run_id", "token": "token", "name": "name", "action": "action"}
    shown = {name: made[column] for name, column in names.items()}
    return _without_none({**shown, "metadata": made["metadata"], "createdAt": rfc3339(made["created_at"])})


def run(run_id: str, *, follow: bool = True) -> Object:
    """One run, or the one that goes on in its place, with the traceback of a failure; raises `NotFound`."""

    def read(tx: Tx) -> Object:
        row = known(tx, run_id, follow=follow)
        shown = _shown(tx, [row])[0]
        main = runs.one_step(tx, row["id"], "forward", MAIN) if "error" in shown else None
        stack = ((main["error"] or {}).get("details") or {}).get("stack") if main is not None else None
        if stack is not None:
            shown["error"]["stack"] = stack
        return shown

    return world().db.read(read)


def accepted(row: Row) -> Object:
    """A run that was accepted just now."""
    return run_object(row, now=row["created_at"], updated_at=None, served=None)


def page(query: Mapping[str, Any]) -> Object:
    """A page of runs, the newest first."""
    name, status = query.get("workflow_name"), query.get("status")
    mark = filter_hash(list="workflows", name=name, status=status)
    after = world().cursors.decode(query["cursor"], mark) if "cursor" in query else None
    window = Window(
        limit=min(query["limit"], MOST_A_PAGE), after=(after["at"], after["id"]) if after else None
    )

    def read(tx: Tx) -> Object:
        found = code_runs.list_runs(tx, name, status, window)
        last = found.rows[-1] if found.more else None
        cursor = world().cursors.encode({"id": last["id"], "at": last["created_at"]}, mark) if last else None
        return {"data": _shown(tx, found.rows), "cursor": cursor, "hasMore": found.more}

    return world().db.read(read)


def children(run_id: str) -> list[Object]:
    """The runs that belong to a run."""

    def read(tx: Tx) -> list[Object]:
        known(tx, run_id, follow=False)
        return _shown(tx, code_runs.children(tx, run_id))

    return world().db.read(read)


def parent(run_id: str) -> Object:
    """The run that a run belongs to; raises `NotFound` when there is none."""

    def read(tx: Tx) -> Object:
        above = known(tx, run_id)["parent_run_id"]
        if above is None:
            raise NotFound(f"Run {run_id} has no parent.")
        return _shown(tx, [known(tx, above)])[0]

    return world().db.read(read)


def events(run_id: str, *, after: int, limit: int) -> list[Object]:
    """The log of a run, oldest first: as many events as were asked for, or about a mebibyte of them."""

    def read(tx: Tx) -> list[Object]:
        known(tx, run_id, follow=False)
        waits = code_runs.waits(tx, run_id)
        return [event_object(row, waits) for row in event_log.page(tx, run_id, after=after, limit=limit)]

    return world().db.read(read)


def workflows() -> list[Object]:
    """The workflows that workers have announced."""

    def read(tx: Tx) -> list[Object]:
        served = presence.served(tx)
        return [_definition(row, served) for row in definitions.everything(tx)]

    return world().db.read(read)


def _definition(row: Row, served: presence.Served) -> Object:
    facts = row["facts"]
    return _without_none(
        {
            "workflowName": row["name"],
            "deploymentId": row["version"],
            "description": facts.get("description") or None,
            "maxEvents": facts.get("maxEvents"),
            "executionTimeout": facts.get("executionTimeoutMs"),
            "stepTimeout": facts.get("stepTimeoutMs"),
            "served": (row["name"], row["version"]) in served,
            "createdAt": rfc3339(row["created_at"]),
            "updatedAt": rfc3339(row["updated_at"]),
        }
    )


def _shown(tx: Tx, rows: Sequence[Row]) -> list[Object]:
    touched, served = code_runs.updated(tx, [row["id"] for row in rows]), presence.served_for(tx, rows)
    return [run_object(row, now=tx.now, updated_at=touched.get(row["id"]), served=served) for row in rows]


def _told(payload: Row) -> Object:
    """What an event of ours tells beside its type; results are stored wrapped."""
    told = {name: spelling.moment(name, value) for name, value in payload.items() if name not in INNER}
    wrapped = isinstance(told.get("output"), Mapping) and set(told["output"]) == {"value"}
    return {**told, "output": told["output"]["value"]} if wrapped else told


def _error(row: Row) -> Object | None:
    if row["status"] != RunStatus.FAILED:
        return None
    return {"message": row["error_message"] or "", "code": row["error_code"]}


def _own_key(row: Row) -> str | None:
    key = (row["idempotency_key"] or "").removeprefix(f"wf/{row['type']}/")
    return None if not key or key.startswith(OUR_KEY) else key


def _without_none(members: Object) -> Object:
    return {name: value for name, value in members.items() if value is not None}
