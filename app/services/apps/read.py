"""Reads of runs, events, steps and hooks for clients, and pages of them with cursors."""

from dataclasses import dataclass
from typing import Any

from app.domain.apps import cursors, slots
from app.domain.apps.incoming import searchable, storable
from app.domain.apps.refusal import Refused, bad, run_not_found
from app.domain.apps.template import template
from app.domain.apps.words import AppRunStatus
from app.record.apps import hooks, log, runs, steps
from app.record.apps.scope import Scope
from app.record.session import Database, Tx

Row = dict[str, Any]
ANY_RUN = "_"  # The DevKit's client sends this as the run's id when it does not know the run.


@dataclass(frozen=True, kw_only=True)
class Page:
    """Rows of a list, and the cursor of the next page."""

    rows: list[Row]
    cursor: str | None
    more: bool


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The page that a client asks for, as unchecked parameters of its query."""

    limit: str | None = None
    cursor: str | None = None
    newest_first: bool = False


def run(db: Database, app: str, run_id: str) -> Row:
    """One run."""
    found = db.ask(lambda tx: runs.one(tx, Scope.of(tx, app), run_id)) if storable(run_id) else None
    if found is None:
        raise run_not_found(run_id)
    return found


def run_page(
    db: Database,
    app: str,
    asked: Asked,
    *,
    workflow: str | None = None,
    status: str | None = None,
    deployment: str | None = None,
) -> Page:
    """Runs, newest first; ``status`` may be several, separated by commas."""
    limit, before = cursors.limit_of(asked.limit, 50), cursors.run_place(asked.cursor)
    statuses = [word for word in (status or "").split(",") if word]
    for word in statuses:
        if word not in list(AppRunStatus):
            raise bad(f"status must be one or several of {', '.join(AppRunStatus)}, with commas between")
    for name, value in (("workflowName", workflow), ("deploymentId", deployment)):
        searchable(name, value)
    rows = db.ask(
        lambda tx: runs.page(
            tx,
            Scope.of(tx, app),
            workflow=workflow or None,
            statuses=statuses,
            deployment=deployment or None,
            before=before,
            limit=limit + 1,
        )
    )
    more, rows = len(rows) > limit, rows[:limit]
    last = rows[-1] if rows else None
    cursor = cursors.run_cursor(last["created_at"], last["id"]) if last and more else None
    return Page(rows=rows, cursor=cursor, more=more)


def event_page(db: Database, app: str, run_id: str, asked: Asked) -> Page:
    """The events of a run; the last page has a cursor too, so that a client can read on later."""
    limit, after = cursors.limit_of(asked.limit, 100), slots.fence(asked.cursor or "")
    searchable("runId", run_id)
    rows = db.ask(
        lambda tx: log.page(
            tx,
            Scope.of(tx, app),
            run_id,
            after=after,
            limit=limit + 1,
            newest_first=asked.newest_first,
        )
    )
    return _walked(rows, limit, asked.cursor, event_id)


def correlated(
    db: Database, app: str, correlation_id: str | None, asked: Asked, *, run_id: str | None = None
) -> Page:
    """The events with a correlation id in all runs; the cursor is an event number, unique over all runs."""
    limit, place = cursors.limit_of(asked.limit, 100), slots.fence(asked.cursor or "")
    if not correlation_id:
        raise bad("correlationId is required")
    searchable("correlationId", correlation_id)
    searchable("runId", run_id)
    rows = db.ask(
        lambda tx: log.by_correlation(
            tx,
            Scope.of(tx, app),
            correlation_id,
            run_id=run_id or None,
            after=place[1] if place and place[0] == "number" else None,
            limit=limit + 1,
            newest_first=asked.newest_first,
        )
    )
    return _walked(rows, limit, asked.cursor, lambda row: str(row["number"]))


def event(db: Database, app: str, run_id: str, event_id_: str) -> Row:
    """One event of a run."""
    place = slots.fence(event_id_)
    found = None
    if place is not None and storable(run_id):
        found = db.ask(lambda tx: log.one(tx, Scope.of(tx, app), run_id, place))
    if found is None or event_id(found) != event_id_:
        raise Refused(404, f"Event {event_id_} not found")
    return found


def event_id(row: Row) -> str:
    """The public id of an event row that was read with the spec version of its run."""
    return slots.event_id(row["run_version"], row["seq"], row["number"])


def step_page(db: Database, app: str, run_id: str, asked: Asked) -> Page:
    """The steps of a run, oldest first."""
    limit, offset = cursors.limit_of(asked.limit, 100), cursors.offset_of(asked.cursor)
    searchable("runId", run_id)
    rows = db.ask(lambda tx: steps.page(tx, Scope.of(tx, app), run_id, offset=offset, limit=limit + 1))
    return _counted(rows, limit, offset)


def step(db: Database, app: str, run_id: str, step_id: str) -> Row:
    """One step, by its id or its correlation id."""
    within = None if run_id == ANY_RUN else run_id
    found = None
    if storable(run_id) and storable(step_id):
        found = db.ask(lambda tx: steps.one(tx, Scope.of(tx, app), within, step_id))
    if found is None:
        raise Refused(404, f"Step {step_id} not found", code="WF_STEP_NOT_FOUND")
    return found


def hook_page(db: Database, app: str, run_id: str | None, asked: Asked) -> Page:
    """Hooks by id: all of a run, or those of the application that are not disposed."""
    limit, offset = cursors.limit_of(asked.limit, 100), cursors.offset_of(asked.cursor)
    searchable("runId", run_id)
    rows = db.ask(
        lambda tx: hooks.page(tx, Scope.of(tx, app), run_id or None, offset=offset, limit=limit + 1)
    )
    return _counted(rows, limit, offset)


def hook(db: Database, app: str, hook_id: str) -> Row:
    """One hook by its id."""
    found = db.ask(lambda tx: hooks.by_id(tx, Scope.of(tx, app), hook_id)) if storable(hook_id) else None
    return _hook(found, hook_id)


def hook_of(db: Database, app: str, token: str) -> Row:
    """The hook of a token."""
    found = db.ask(lambda tx: hooks.by_token(tx, Scope.of(tx, app), token)) if storable(token) else None
    return _hook(found, token)


def template_of(db: Database, app: str, workflow: str, deployment: str | None) -> dict[str, object] | None:
    """The steps of the newest completed run of a workflow, and whether it had hooks or waits, or None."""

    def look(tx: Tx) -> dict[str, object] | None:
        scope = Scope.of(tx, app)
        newest = runs.newest_completed(tx, scope, workflow, deployment or None)
        if newest is None:
            return None
        return {
            "steps": template(steps.page(tx, scope, newest["id"])),
            "hasHooks": hooks.has_hooks(tx, scope, newest["id"]),
            "hasWaits": bool(hooks.waits(tx, scope, newest["id"])),
            "sourceRunId": newest["id"],
        }

    if not storable(workflow) or not storable(deployment or ""):
        return None
    return db.read(look)


def _hook(found: Row | None, wanted: str) -> Row:
    if found is None:
        raise Refused(404, f"Hook {wanted} not found", code="WF_HOOK_NOT_FOUND")
    return found


def _walked(rows: list[Row], limit: int, asked: str | None, cursor: Any) -> Page:
    more, rows = len(rows) > limit, rows[:limit]
    return Page(rows=rows, cursor=cursor(rows[-1]) if rows else asked or None, more=more)


def _counted(rows: list[Row], limit: int, offset: int) -> Page:
    more = len(rows) > limit
    return Page(rows=rows[:limit], cursor=str(offset + limit) if more else None, more=more)
