"""Runs as answers show them, each read in one transaction; API and console show runs through here."""

import time
from collections.abc import Mapping
from typing import Any

from app.auth.secrets import hidden
from app.domain.clock import rfc3339
from app.domain.errors import NotFound
from app.domain.rows.runs import HookRow, RunRow, SignalRow, StepRow
from app.domain.run_kind import RunKind
from app.domain.states import TERMINAL
from app.domain.usual import blended
from app.record.paging import Page, Window
from app.record.runs import event_log, hooks, metrics, run_list, runs, signals
from app.record.runs.run_list import RunFilters
from app.record.session import Tx
from app.services import presence, present, run_facts
from app.services.context import AppContext
from app.services.runs import Started
from chains import catalogue

Object = dict[str, Any]
MOST_EXPORTED = 10_000  # Events of one export.
EXPORTED_AT_A_TIME = 1_000
MOST_PAGES = 16  # Of one export, each of a thousand events or of a mebibyte: it is held in memory as a whole.
_NOT_BEGUN: Object = dict.fromkeys(
    ("first_started_at", "completed_at", "progress", "retry_at", "error", "compensated_at", "deadline_at")
)


def row(world: AppContext, run_id: str) -> RunRow:
    """The run's row; raises `NotFound`."""
    return world.db.read(lambda tx: _read(tx, run_id))


def detail(world: AppContext, run_id: str) -> tuple[RunRow, Object]:
    """The run's row and its object with steps; raises `NotFound`."""
    found, shown = world.db.read(lambda tx: _detail(tx, run_id))
    return found, _timed(world, found, shown)


def page(world: AppContext, filters: RunFilters, window: Window) -> tuple[Page, list[Object]]:
    """A page of runs with their steps."""

    def read(tx: Tx) -> tuple[Page, Any]:
        found = run_list.list_runs(tx, filters, window)
        # Of a code workflow there may be thousands, and none of them was planned.
        steps = run_list.brief_steps(tx, [run["id"] for run in found.rows if run["kind"] != RunKind.CODE])
        served = presence.served_for(tx, found.rows)
        return found, (tx.now, steps, served, run_facts.of_rows(tx, found.rows))

    found, (now, steps, served, facts) = world.db.read(read)
    shown = []
    for run in found.rows:
        own = steps.get(run["id"], ())
        planned = run["kind"] != RunKind.CODE and run["status"] not in ("completed", "queued")
        usual = run_facts.expected(run_facts.times_of(world, run["type"]), own) if planned else {}
        seen = present.run_summary(run, own, now=now, served=served, facts=facts[run["id"]], usual_ms=usual)
        shown.append(seen)
    return found, shown


def started(world: AppContext, new: Started) -> Object:
    """A run that was started, without a look at it where everything about it is known."""
    if new.steps is None:
        return detail(world, new.run["id"])[1]
    steps = [{**_NOT_BEGUN, **step} for step in new.steps]
    now = new.run["created_at"]
    shown = present.run_detail(new.run, steps, now=now, facts=_facts_of_new(world, new.run))
    return _timed(world, new.run, shown)


def notes(world: AppContext, run_id: str) -> list[Object]:
    """What operators did to a run and why, and their remarks; newest first."""

    def look(tx: Tx) -> list[Object]:
        _read(tx, run_id)
        return [_note(row) for row in event_log.remarks(tx, run_id)]

    return world.db.read(look)


def open_hooks(world: AppContext, run_id: str) -> list[Object]:
    """The hooks of a run, newest first, without their tokens."""

    def look(tx: Tx) -> list[Object]:
        _read(tx, run_id)
        return [_hook(row) for row in hooks.of_run(tx, run_id)]

    return world.db.read(look)


def sent_signals(world: AppContext, run_id: str, *, unread: bool = False) -> list[Object]:
    """The signals that a run was sent, newest first; with ``unread`` those that no wait has taken."""

    def look(tx: Tx) -> list[Object]:
        _read(tx, run_id)
        return [_signal(row) for row in signals.of_run(tx, run_id, unread=unread)]

    return world.db.read(look)


def _hook(row: HookRow) -> Object:
    return {
        "id": row["id"],
        "step": row["step"],
        "name": row["name"],
        "action": row["action"],
        "metadata": hidden(row["metadata"]),
        "status": row["status"],
        "createdAt": rfc3339(row["created_at"]),
        "expiresAt": rfc3339(row["expires_at"]),
        "executedAt": rfc3339(row["executed_at"]),
    }


def _signal(row: SignalRow) -> Object:
    return {
        "id": row["id"],
        "seq": row["seq"],
        "name": row["name"],
        "payload": hidden(row["payload"]),
        "sender": row["sender"],
        "receivedAt": rfc3339(row["received_at"]),
        "consumedBy": row["consumed_by"],
    }


def export(world: AppContext, run_id: str) -> Object:
    """A run, its steps and its log as one document; of a long log the first events, and ``truncated``."""

    def look(tx: Tx) -> tuple[Object, int, list[Object]]:
        found, shown = _detail(tx, run_id)
        rows: list[Object] = []
        for _ in range(MOST_PAGES):
            more = event_log.page(tx, run_id, after=rows[-1]["seq"] if rows else 0, limit=EXPORTED_AT_A_TIME)
            rows += more
            if not more or len(rows) >= MOST_EXPORTED:
                break
        return shown, found["event_seq"], [present.event_object(row) for row in rows[:MOST_EXPORTED]]

    shown, last, events = world.db.read(look)
    truncated = bool(events) and events[-1]["seq"] < last
    about = {"format": "windlass.run/1", "exportedAt": rfc3339(time.time_ns() // 1_000_000)}
    return {**about, "run": shown, "events": events, "truncated": truncated}


def _note(row: Mapping[str, Any]) -> Object:
    said = row["payload"] or {}
    return {
        "seq": row["seq"],
        "at": rfc3339(row["at"]),
        "actor": row["actor"],
        "action": said.get("action"),
        "text": said.get("reason"),
    }


def _facts_of_new(world: AppContext, run: RunRow) -> run_facts.Facts:
    """What is known around a run; without a resource there is nothing to look for."""
    if run["resource_id"] is None:
        return run_facts.Facts(title=catalogue.title_of(run["type"], run["input"]))
    return world.db.read(lambda tx: run_facts.of_rows(tx, [run]))[run["id"]]


def _timed(world: AppContext, run: RunRow, shown: Object) -> Object:
    if run["kind"] == RunKind.CODE:
        return shown
    times = run_facts.times_of(world, run["type"])
    return {**shown, "steps": run_facts.with_times(shown["steps"], times)}


def _read(tx: Tx, run_id: str) -> RunRow:
    found = runs.read_run(tx, run_id)
    if found is None:
        raise NotFound(f"There is no run {run_id}.")
    return found


def _usual(tx: Tx, found: RunRow, steps: list[StepRow]) -> dict[str, float]:
    """How long each step is expected to take: as in earlier runs, and as it declares."""
    seen = metrics.usual_step_ms(tx, found["type"], found["created_at"])
    return {
        step["key"]: blended(catalogue.expected_ms(step["name"]), *seen.get(step["key"], (0.0, 0)))
        for step in steps
        if step["phase"] == "forward"
    }


def _detail(tx: Tx, run_id: str) -> tuple[RunRow, Object]:
    found = _read(tx, run_id)
    steps = runs.all_steps(tx, run_id)
    ended = found["status"] in TERMINAL
    return found, present.run_detail(
        found,
        steps,
        now=tx.now,
        retried_by=run_list.retries_of(tx, run_id),
        live_retry=runs.live_retry(tx, run_id) if ended else None,
        usual_ms=_usual(tx, found, steps),
        served=presence.served_for(tx, [found]),
        facts=run_facts.of_rows(tx, [found])[run_id],
    )
