"""Checks the invariants of apps: dense slots, rows that agree with the log, a due time of open messages."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Table, select, tuple_

from app.domain.apps.fold import Folded, fold
from app.record.session import Tx
from app.record.tables import app_event, app_hook, app_message, app_run, app_step, app_wait

Row = dict[str, Any]
Key = tuple[str, str]  # Application and run.
LIMIT = 1_000  # Open runs and ended runs, each.
BATCH = 50
LOOK = "stop changing this run, keep its rows, and report it with the output of: windlass app run events"


def findings(tx: Tx, *, limit: int = LIMIT) -> list[Row]:
    """The violations found in the newest runs of apps and in all messages."""
    chosen = _chosen(tx, limit)
    found: list[Row] = []
    for at in range(0, len(chosen), BATCH):
        found += _of_runs(tx, chosen[at : at + BATCH])
    return found + _messages(tx)


def _chosen(tx: Tx, limit: int) -> list[Row]:
    mine = select(app_run.c.app, app_run.c.id, app_run.c.status, app_run.c.events)
    mine = mine.where(app_run.c.tenant_id == tx.tenant)
    open_ = mine.where(app_run.c.completed_at.is_(None)).order_by(app_run.c.created_at.desc())
    ended = mine.where(app_run.c.completed_at.is_not(None)).order_by(app_run.c.completed_at.desc())
    return tx.rows(open_.limit(limit)) + tx.rows(ended.limit(limit))


def _of_runs(tx: Tx, runs: Sequence[Row]) -> list[Row]:
    keys = [(run["app"], run["id"]) for run in runs]
    logs = _by_run(tx, app_event, keys, "seq", "event_type")
    rows = {
        kind: _by_run(tx, table, keys, "status") for kind, table in (("hook", app_hook), ("wait", app_wait))
    }
    rows["step"] = _by_run(tx, app_step, keys, "status", "seq")
    found = []
    for run, key in zip(runs, keys, strict=True):
        log = sorted(logs.get(key, []), key=lambda one: one["seq"])
        # A log with a gap cannot be folded, so no other check is possible for this run.
        if [one["seq"] for one in log] != list(range(1, run["events"] + 1)):
            found.append(
                _finding("I19", key, f"the run counts {run['events']} events, its log {_slots(log)}")
            )
            continue
        folded = fold(log, {one["correlation_id"]: one["seq"] for one in rows["step"].get(key, [])})
        told = {
            kind: {one["correlation_id"]: one["status"] for one in of.get(key, [])}
            for kind, of in rows.items()
        }
        found += [_finding("I20", key, what) for what in _differences(run, folded, told)]
    return found


def _differences(run: Row, folded: Folded, told: dict[str, dict[str, str]]) -> Iterable[str]:
    if run["status"] != folded.run:
        yield f"the run is {run['status']}, its log says {folded.run}"
    for kind, rows in told.items():
        said: dict[str, str] = getattr(folded, kind)
        for name, status in rows.items():
            if said.get(name) != status:
                yield f"the {kind} {name} is {status}, the log says {said.get(name) or 'nothing of it'}"
        missing = sorted(set(said) - set(rows))
        yield from (f"the {kind} {name} is not there, the log says {said[name]}" for name in missing)


def _by_run(tx: Tx, table: Table, keys: Sequence[Key], *names: str) -> dict[Key, list[Row]]:
    columns = [table.c[name] for name in ("app", "run_id", "correlation_id", *names)]
    wanted = select(*columns).where(
        table.c.tenant_id == tx.tenant, tuple_(table.c.app, table.c.run_id).in_(keys)
    )
    found: dict[Key, list[Row]] = {}
    for row in tx.rows(wanted):
        found.setdefault((row["app"], row["run_id"]), []).append(row)
    return found


def _messages(tx: Tx) -> list[Row]:
    lost = select(app_message.c.app, app_message.c.run_id, app_message.c.id).where(
        app_message.c.tenant_id == tx.tenant, app_message.c.state == "open", app_message.c.due_at.is_(None)
    )
    return [
        _finding("I21", (row["app"], row["run_id"]), f"the message msg_{row['id']} is open and never due")
        for row in tx.rows(lost.limit(LIMIT))
    ]


def _slots(log: Sequence[Row]) -> str:
    return f"has {len(log)}, the last at slot {log[-1]['seq']}" if log else "has none"


def _finding(number: str, key: Key, what: str) -> Row:
    return {"invariant": number, "run": key[1], "what": f"app {key[0]}: {what}", "todo": LOOK}
