"""What must hold for the runs of apps after a campaign, by their log, their messages, and what bodies did."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Table, select

from app.record.apps import doctor
from app.record.session import Database
from app.record.tables import app_event, app_hook, app_message, app_run
from tests.chaos.apps.program import Program
from tests.chaos.apps.site import APP
from tests.chaos.apps.users import Users
from tests.chaos.checks.evidence import Finding

EVERY_RUN = 1_000_000
ONCE = ("run_created", "run_started", "run_completed", "run_failed", "run_cancelled")
ONCE_EACH = (
    *("step_created", "step_completed", "hook_created", "hook_conflict"),
    *("wait_created", "wait_completed", "attr_set"),
)
Row = dict[str, Any]


def judge(db: Database, users: Users, program: Program) -> list[Finding]:
    """Everything that is held against the service."""
    findings = db.read(lambda tx: doctor.findings(tx, limit=EVERY_RUN), patience_s=30)
    found = [Finding(number=one["invariant"], run_id=one["run"], what=one["what"]) for one in findings]
    runs = {row["id"]: row for row in _rows(db, app_run)}
    logs: dict[str, list[Row]] = defaultdict(list)
    for row in _rows(db, app_event):
        logs[row["run_id"]].append(row)
    for run_id in [*users.started, *users.raced]:
        found += once(run_id, logs[run_id])
    found += ended(users, runs)
    found += results(users, logs, program)
    found += followed(_rows(db, app_message), users, program)
    found += tokens(_rows(db, app_hook), runs)
    found += [Finding(number="early", what=one) for one in program.early]
    found += [Finding(number="foreign", what=one[:200]) for one in users.leaks]
    return found


def _rows(db: Database, table: Table) -> list[Row]:
    wanted = select(table).where(table.c.app == APP)
    return db.read(lambda tx: tx.rows(wanted), patience_s=30)


def ended(users: Users, runs: dict[str, Row]) -> Iterator[Finding]:
    """Every run that was accepted is there and has reached its goal."""
    for run_id, workflow in users.started.items():
        status = runs[run_id]["status"] if run_id in runs else "not there"
        if status != "completed":
            yield Finding(number="ended", run_id=run_id, what=f"{workflow} is {status}")


def once(run_id: str, log: list[Row]) -> Iterator[Finding]:
    """What replays can meet once alone is there once, and a run ends in one way."""
    logged = Counter((one["event_type"], one["correlation_id"]) for one in log)
    for (kind, name), times in logged.items():
        if times > 1 and (kind in ONCE or kind in ONCE_EACH):
            yield Finding(number="once", run_id=run_id, what=f"{kind} of {name or 'the run'} {times} times")
    ends = [kind for kind, _ in logged if kind in ONCE[2:]]
    if len(ends) > 1:
        yield Finding(number="once", run_id=run_id, what=f"ended as {' and '.join(ends)}")


def results(users: Users, logs: dict[str, list[Row]], program: Program) -> Iterator[Finding]:
    """Each step that was done has one result in the log, and it is what a body returned."""
    for name, made in program.effects.items():
        run_id = next(one for one in users.started if one in name)
        logged = [
            one
            for one in logs[run_id]
            if (one["event_type"], one["correlation_id"]) == ("step_completed", name)
        ]
        results_logged = [json.loads(one["data"])["result"] for one in logged]
        if len(results_logged) != 1 or results_logged[0] not in made:
            what = f"{name} was done {len(made)} times and has {len(results_logged)} results in the log"
            yield Finding(number="result", run_id=run_id, what=what)


def followed(messages: list[Row], users: Users, program: Program) -> Iterator[Finding]:
    """No message is lost or given up, and none has two successors."""
    by_run = Counter(one["run_id"] for one in messages)
    for one in messages:
        if one["state"] != "delivered":
            what = f"msg_{one['id']} is {one['state']} after {one['attempts']} failures: {one['failure']}"
            yield Finding(number="message", run_id=one["run_id"], what=what)
    keyed = Counter(one["run_id"] for one in messages if one["key"] is not None)
    for run_id in users.started:
        most = keyed[run_id] + len(program.again[run_id])
        if by_run[run_id] > most:
            what = f"{by_run[run_id]} messages, of which at most {most} were asked for"
            yield Finding(number="fence", run_id=run_id, what=what)


def tokens(hooks: list[Row], runs: dict[str, Row]) -> Iterator[Finding]:
    """A run that has ended holds no token."""
    for one in hooks:
        if one["disposed_at"] is None and runs[one["run_id"]]["completed_at"] is not None:
            yield Finding(number="token", run_id=one["run_id"], what=f"still holds {one['token']}")
